//! The map at the head of each room: `lib.rs` names every module with a line on what it is for, and names no module that is gone.

use syn::{Expr, Item, Lit, Meta};

use crate::{
    Check, Offence,
    tree::{self, Source},
};

pub(crate) fn offences(sources: &[Source]) -> Vec<Offence> {
    let mut found = vec![];
    for source in sources.iter().filter(|source| source.path.ends_with("/src/lib.rs")) {
        let modules: Vec<String> = source.parsed.items.iter().filter_map(shipped_module).collect();
        let map: Vec<String> = source.parsed.attrs.iter().filter_map(doc_line).collect();
        let named = |module: &str| map.iter().any(|line| line.contains(&format!("`{module}`")));
        let listed =
            map.iter().filter_map(|line| line.trim().strip_prefix("* `")?.split('`').next());
        let gone = listed.filter(|word| !modules.iter().any(|module| module == word));
        let missing = modules.iter().map(String::as_str).filter(|module| !named(module));
        found.extend(missing.chain(gone).map(|module| Offence {
            check: Check::Map,
            place: format!("{}::{module}", source.path),
            size: 1,
        }));
    }
    found
}

fn shipped_module(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if !tree::is_test(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    }
}

/// A line of the documentation of the file.
fn doc_line(attribute: &syn::Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(literal) if pair.path.is_ident("doc") => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_hole_in_the_map_is_seen() {
    let of = |text: &str| -> Vec<String> {
        let found = offences(&[Source::new("x/src/lib.rs", text)]);
        found.into_iter().map(|offence| offence.place).collect()
    };
    let map = "//! A room.\n//!\n//! * `a`: first; `b`: beside it\n\nmod a;\nmod b;\n#[cfg(test)]\nmod tests;\n";
    assert_eq!(of(map), Vec::<String>::new());
    assert_eq!(of(&format!("{map}mod c;\n")), ["x/src/lib.rs::c"], "a module without a line");
    assert_eq!(of("//! * `old`: what was\n"), ["x/src/lib.rs::old"], "a line without a module");
}
