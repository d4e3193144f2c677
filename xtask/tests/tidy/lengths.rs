//! Lines of functions and files. A function counts from its signature to its closing brace: attributes and docs are free.

use syn::{
    Block, ImplItemFn, ItemFn, ItemImpl, ItemMod, Signature, TraitItemFn,
    visit::{self, Visit},
};

use crate::{Check, Offence, tree::Source};

const FUNCTION: usize = 70;
const FILE: usize = 450;

pub(crate) fn offences(sources: &[Source]) -> Vec<Offence> {
    let mut found = vec![];
    for source in sources {
        let lines = source.text.lines().count();
        if lines > FILE {
            found.push(Offence { check: Check::File, place: source.path.clone(), size: lines });
        }
        let mut functions = Functions { path: &source.path, inside: vec![], found: &mut found };
        functions.visit_file(&source.parsed);
    }
    found
}

struct Functions<'a> {
    path: &'a str,
    /// Modules and types around the place.
    inside: Vec<String>,
    found: &'a mut Vec<Offence>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let size =
            body.brace_token.span.close().end().line + 1 - signature.fn_token.span.start().line;
        if size > FUNCTION {
            let name = [self.inside.as_slice(), &[signature.ident.to_string()]].concat().join("::");
            let place = format!("{}::{name}", self.path);
            self.found.push(Offence { check: Check::Function, place, size });
        }
    }

    fn within(&mut self, name: String, walk: impl FnOnce(&mut Self)) {
        self.inside.push(name);
        walk(self);
        self.inside.pop();
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(of) => of.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.within(name.unwrap_or_else(|| "impl".into()), |this| {
            visit::visit_item_impl(this, item);
        });
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.within(item.ident.to_string(), |this| visit::visit_item_mod(this, item));
    }
}

#[test]
fn a_long_function_and_a_long_file_are_seen() {
    let long =
        |lines| format!("impl Far {{\n    fn walk() {{\n{}    }}\n}}\n", "//\n".repeat(lines));
    let of = |text: &str| offences(&[Source::new("a.rs", text)]);
    assert_eq!(of(&long(68)), []);
    let offence = |check, place: &str, size| Offence { check, place: place.into(), size };
    assert_eq!(of(&long(69)), [offence(Check::Function, "a.rs::Far::walk", 71)]);
    let docs = format!("{}fn short() {{}}\n", "/// A line.\n".repeat(440));
    assert_eq!(of(&docs), [], "docs of a function are free");
    let inner = format!("mod inside {{ fn f() {{\n{}}} }}", "//\n".repeat(80));
    assert_eq!(of(&inner), [offence(Check::Function, "a.rs::inside::f", 82)]);
    assert_eq!(of(&"//\n".repeat(451)), [offence(Check::File, "a.rs", 451)]);
}
