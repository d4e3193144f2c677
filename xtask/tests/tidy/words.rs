//! Words that names must not have, from `words.txt`. Only what is defined here counts: names of others (`std::task::Context`) are theirs.

use syn::{
    ImplItemFn, Item, ItemImpl, PatIdent, TraitItemFn, Variant,
    visit::{self, Visit},
};

use crate::{Check, Offence, tree::Source};

pub(crate) const LIST: &str = include_str!("words.txt");

/// One line of the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    kind: Kind,
    word: &'a str,
    /// Only in files whose path begins so.
    under: &'a str,
    pub(crate) instead: &'a str,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Kind {
    /// A part of a name, such as `common` of `common_parts` and `CommonParts`.
    Part,
    /// What a name begins with.
    Begins,
    /// A whole name.
    Name,
    /// A whole path from the root of the workspace.
    Path,
    /// Anywhere in a page of documentation.
    Prose,
}

/// `KIND WORD [under PATH] -> INSTEAD`; `#` begins a comment.
pub(crate) fn read(list: &str) -> Vec<Word<'_>> {
    let lines =
        list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line_of(line).unwrap_or_else(|| panic!("`{line}` is no line of words")))
        .collect()
}

fn line_of(line: &str) -> Option<Word<'_>> {
    let (what, instead) = line.split_once("->")?;
    let mut words = what.split_whitespace();
    let kind = match words.next()? {
        "part" => Kind::Part,
        "begins" => Kind::Begins,
        "name" => Kind::Name,
        "path" => Kind::Path,
        "prose" => Kind::Prose,
        _ => return None,
    };
    let word = words.next()?;
    let under = match words.next() {
        Some("under") => words.next()?,
        Some(_) => return None,
        None => "",
    };
    Some(Word { kind, word, under, instead: instead.trim() })
}

pub(crate) fn offences(sources: &[Source], words: &[Word<'_>]) -> Vec<Offence> {
    let mut found = vec![];
    for source in sources {
        let mut names = Names::default();
        names.visit_file(&source.parsed);
        let folders = source.path.trim_end_matches(".rs").split('/');
        names.0.extend(folders.map(str::to_owned));
        names.0.sort_unstable();
        names.0.dedup();
        for word in words.iter().filter(|word| source.path.starts_with(word.under)) {
            let named = names.0.iter().filter(|name| word.is_in(name));
            let path =
                (word.kind == Kind::Path && source.path == word.word).then_some(&source.path);
            found.extend(named.chain(path).map(|name| Offence {
                check: Check::Word,
                place: format!("{}::{name} ({} -> {})", source.path, word.word, word.instead),
                size: 1,
            }));
        }
    }
    found
}

/// The same for pages: path and text.
pub(crate) fn prose(pages: &[(String, String)], words: &[Word<'_>]) -> Vec<Offence> {
    let mut found = vec![];
    for word in words.iter().filter(|word| word.kind == Kind::Prose) {
        let named = |(path, text): &&(String, String)| {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            path.starts_with(word.under) && words.any(|other| other == word.word)
        };
        found.extend(pages.iter().filter(named).map(|(path, _)| Offence {
            check: Check::Word,
            place: format!("{path} ({} -> {})", word.word, word.instead),
            size: 1,
        }));
    }
    found
}

impl Word<'_> {
    fn is_in(&self, name: &str) -> bool {
        match self.kind {
            Kind::Part => parts(name).iter().any(|part| part == self.word),
            Kind::Begins => name.starts_with(self.word),
            Kind::Name => name == self.word,
            Kind::Path | Kind::Prose => false,
        }
    }
}

/// `CommonParts` and `common_parts` are `common`, `parts`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            parts.push(String::new());
        }
        if c != '_' && c != '-' {
            parts.last_mut().expect("it begins with one").extend(c.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Everything that a file gives a name to.
#[derive(Default)]
struct Names(Vec<String>);

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        let ident = match item {
            Item::Fn(x) => Some(&x.sig.ident),
            Item::Struct(x) => Some(&x.ident),
            Item::Enum(x) => Some(&x.ident),
            Item::Trait(x) => Some(&x.ident),
            Item::Type(x) => Some(&x.ident),
            Item::Const(x) => Some(&x.ident),
            Item::Static(x) => Some(&x.ident),
            Item::Mod(x) => Some(&x.ident),
            Item::Macro(x) => x.ident.as_ref(),
            _ => None,
        };
        self.0.extend(ident.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.0.extend(field.ident.as_ref().map(ToString::to_string));
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        self.0.push(variant.ident.to_string());
        visit::visit_variant(self, variant);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0.push(pattern.ident.to_string());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.0.push(item.sig.ident.to_string());
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.0.push(item.sig.ident.to_string());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let before = self.0.len();
        visit::visit_item_impl(self, item);
        if item.trait_.is_some() {
            // The trait chose the names of its methods, not we.
            let methods: Vec<String> = item
                .items
                .iter()
                .filter_map(|item| match item {
                    syn::ImplItem::Fn(method) => Some(method.sig.ident.to_string()),
                    _ => None,
                })
                .collect();
            let of_impl = self.0.split_off(before);
            self.0.extend(of_impl.into_iter().filter(|name| !methods.contains(name)));
        }
    }
}

#[test]
fn a_forbidden_word_is_seen() {
    let list = read(
        "# words\npart manager -> its job\nbegins get_ -> the noun\nname Letter under a/ -> Attempt\n\
         path a/voice.rs -> events.rs\n",
    );
    let seen = |path: &str, text: &str| -> Vec<String> {
        let found = offences(&[Source::new(path, text)], &list);
        found.into_iter().map(|offence| offence.place).collect()
    };
    assert_eq!(
        seen(
            "a/b.rs",
            "struct NodeManager { get_it: u8 }\nfn f(manager_of: u8) {}\nstruct Letter;"
        ),
        [
            "a/b.rs::NodeManager (manager -> its job)",
            "a/b.rs::manager_of (manager -> its job)",
            "a/b.rs::get_it (get_ -> the noun)",
            "a/b.rs::Letter (Letter -> Attempt)"
        ]
    );
    assert_eq!(seen("b/b.rs", "struct Letter; struct Managed; fn together() {}"), [""; 0]);
    assert_eq!(seen("b/c.rs", "impl Theirs for X { fn get_name(&self) {} }"), [""; 0]);
    let pages = [("docs/x.md".to_owned(), "the voice, and voices".to_owned())];
    let said = prose(&pages, &read("prose voice -> event\nprose voic -> no word of its own"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(seen("a/voice.rs", ""), ["a/voice.rs::a/voice.rs (a/voice.rs -> events.rs)"]);
    assert_eq!(seen("x/manager/y.rs", ""), ["x/manager/y.rs::manager (manager -> its job)"]);
}
