//! Public items that nothing names. A word search: an item counts as named wherever another file holds its identifier outside a
//! re-export of the same crate, whatever that identifier means there. What macros make is not seen. A type that a public signature or field of its own
//! file names has to be public and is left out. A method that a trait asks for must be called somewhere, also in its own file.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Field, ImplItemFn, ImplItemType, Item, ItemEnum, ItemFn, ItemStatic, ItemType, TraitItem,
    TraitItemFn, Visibility,
    visit::{self, Visit},
};

use crate::{
    Check, Offence,
    tree::{self, Source},
};

/// What follows one of these is being defined, not used.
const DEFINE: [&str; 9] =
    ["fn", "struct", "enum", "trait", "type", "const", "static", "mod", "union"];

pub(crate) fn offences(sources: &[Source]) -> Vec<Offence> {
    let (mut named_in, mut handed_on_in): (BTreeMap<_, BTreeSet<_>>, BTreeMap<_, BTreeSet<_>>) =
        Default::default();
    for (i, source) in sources.iter().enumerate() {
        let tokens: TokenStream = source.text.parse().expect("a parsed file has tokens");
        named(tokens, &mut |name, how| {
            let place = match how {
                How::Used => &mut named_in,
                How::HandedOn => &mut handed_on_in,
            };
            place.entry(name).or_default().insert(i);
        });
    }
    let package = |i: usize| sources[i].path.split("/src/").next().unwrap_or_default();
    // Who hands on the item of another crate uses it.
    let abroad = |name: &String, i: usize| {
        let there = handed_on_in.get(name).into_iter().flatten();
        there.into_iter().any(|other| !sources[*other].path.starts_with(package(i)))
    };
    let nobody = BTreeSet::new();
    let mut found = vec![];
    for (i, source) in sources.iter().enumerate() {
        let mut items = Items::default();
        items.visit_file(&source.parsed);
        let files = |name: &String| named_in.get(name).unwrap_or(&nobody);
        let mut shown = Shown::default();
        shown.visit_file(&source.parsed);
        let dead = items.public.difference(&shown.0);
        let dead = dead.filter(|name| files(name).iter().all(|file| *file == i));
        let dead = dead.filter(|name| !abroad(name, i));
        let uncalled = items.asked.iter().filter(|name| files(name).is_empty());
        found.extend(dead.chain(uncalled).map(|name| Offence {
            check: Check::DeadPub,
            place: format!("{}::{name}", source.path),
            size: 1,
        }));
    }
    found
}

enum How {
    Used,
    /// In a `pub use`, of whatever scope.
    HandedOn,
}

/// Every identifier that is used or handed on rather than defined.
fn named(tokens: TokenStream, say: &mut dyn FnMut(String, How)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |i: usize| match tokens.get(i) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    };
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        match token {
            TokenTree::Group(group) => named(group.stream(), say),
            TokenTree::Ident(ident) if ident == "pub" => {
                let scope = matches!(tokens.get(i + 1), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
                let next = i + 1 + usize::from(scope);
                if word(next).as_deref() == Some("use") {
                    let end = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ';');
                    let last = i + tokens[i..].iter().position(end).unwrap_or(0);
                    let path = tokens[next + 1..last].iter().cloned().collect();
                    named(path, &mut |name, _| say(name, How::HandedOn));
                    i = last;
                }
            }
            TokenTree::Ident(ident) => {
                let before = i.checked_sub(1).and_then(word);
                let defined = before.is_some_and(|before| DEFINE.contains(&before.as_str()));
                if !defined {
                    say(ident.to_string(), How::Used);
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        i += 1;
    }
}

#[derive(Default)]
struct Items {
    public: BTreeSet<String>,
    /// Methods of our traits.
    asked: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Items {
    fn visit_item(&mut self, item: &'ast Item) {
        let (visibility, attributes, ident) = match item {
            Item::Fn(x) => (&x.vis, &x.attrs, &x.sig.ident),
            Item::Struct(x) => (&x.vis, &x.attrs, &x.ident),
            Item::Enum(x) => (&x.vis, &x.attrs, &x.ident),
            Item::Trait(x) => (&x.vis, &x.attrs, &x.ident),
            Item::Type(x) => (&x.vis, &x.attrs, &x.ident),
            Item::Const(x) => (&x.vis, &x.attrs, &x.ident),
            Item::Static(x) => (&x.vis, &x.attrs, &x.ident),
            Item::Mod(x) if tree::is_test(&x.attrs) => return,
            _ => return visit::visit_item(self, item),
        };
        if tree::is_test(attributes) {
            return;
        }
        if matches!(visibility, Visibility::Public(_)) {
            self.public.insert(ident.to_string());
        }
        if let Item::Trait(of) = item {
            let methods = of.items.iter().filter_map(|item| match item {
                TraitItem::Fn(method) => Some(method.sig.ident.to_string()),
                _ => None,
            });
            self.asked.extend(methods);
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if matches!(item.vis, Visibility::Public(_)) && !tree::is_test(&item.attrs) {
            self.public.insert(item.sig.ident.to_string());
        }
    }
}

/// Identifiers in what a file shows: signatures, fields and associated types that are public.
#[derive(Default)]
struct Shown(BTreeSet<String>);

impl Shown {
    fn within(&mut self, walk: impl FnOnce(&mut Idents)) {
        let mut idents = Idents(BTreeSet::new());
        walk(&mut idents);
        self.0.extend(idents.0);
    }
}

impl<'ast> Visit<'ast> for Shown {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if matches!(item.vis, Visibility::Public(_)) {
            self.within(|idents| idents.visit_signature(&item.sig));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if matches!(item.vis, Visibility::Public(_)) {
            self.within(|idents| idents.visit_signature(&item.sig));
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.within(|idents| idents.visit_signature(&item.sig));
    }

    fn visit_impl_item_type(&mut self, item: &'ast ImplItemType) {
        self.within(|idents| idents.visit_type(&item.ty));
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        if matches!(item.vis, Visibility::Public(_)) {
            self.within(|idents| item.variants.iter().for_each(|v| idents.visit_variant(v)));
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if matches!(field.vis, Visibility::Public(_)) {
            self.within(|idents| idents.visit_type(&field.ty));
        }
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        if matches!(item.vis, Visibility::Public(_)) {
            self.within(|idents| idents.visit_type(&item.ty));
        }
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        if matches!(item.vis, Visibility::Public(_)) {
            self.within(|idents| idents.visit_type(&item.ty));
        }
    }
}

struct Idents(BTreeSet<String>);

impl<'ast> Visit<'ast> for Idents {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0.insert(segment.ident.to_string());
        visit::visit_path_segment(self, segment);
    }
}

#[test]
fn what_nobody_names_is_seen() {
    let dead = |texts: &[(&str, &str)]| -> Vec<String> {
        let sources: Vec<Source> =
            texts.iter().map(|(path, text)| Source::new(path, text)).collect();
        offences(&sources).into_iter().map(|offence| offence.place).collect()
    };
    let lib = ("x/src/lib.rs", "mod a;\npub use a::Alone;\npub(crate) use a::{Used, lonely};\n");
    let a = "pub struct Alone;\npub struct Used;\npub fn lonely() { lonely() }\nfn private() {}\n\
             impl Used { pub fn never(&self) {} pub fn called(&self) {} }";
    let b = (
        "b.rs",
        "/// Alone, lonely and never are words of a comment.\nfn f(x: Used) { x.called() }\n",
    );
    assert_eq!(
        dead(&[lib, ("x/src/a.rs", a), b]),
        ["x/src/a.rs::Alone", "x/src/a.rs::lonely", "x/src/a.rs::never"]
    );
    let asked = (
        "t.rs",
        "trait Lab { fn open(&self); fn shut(&self); }\nimpl Lab for X { fn open(&self) {} fn shut(&self) {} }\nfn f(x: X) { x.open() }",
    );
    assert_eq!(dead(&[asked]), ["t.rs::shut"], "nobody calls it, and implementing is not calling");
    let kit = ("kit/src/lib.rs", "pub fn patience() {}\npub fn unused() {}");
    let user = ("cli/tests/x.rs", "pub(crate) use kit::{patience};");
    assert_eq!(dead(&[kit, user]), ["kit/src/lib.rs::unused"], "handing on abroad is a use");
    let test = ("u.rs", "#[cfg(test)]\nmod tests { pub fn only_here() {} }");
    assert_eq!(dead(&[test]), Vec::<String>::new());
}
