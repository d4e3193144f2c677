//! Files of a crate that use each other. A use is a path that begins with `crate`, `super` or `self`, followed through re-exports to
//! the file that holds the item; test modules and what stands inside macro calls are left out. A module and its own children may use
//! each other: the parent lists them, and they share what is the parent's.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Item, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

use crate::{
    Check, Offence,
    tree::{self, Source},
};

type Module = Vec<String>;

/// The files of one crate, by module.
struct Crate<'a> {
    name: &'a str,
    files: BTreeMap<Module, &'a Source>,
    /// What a module re-exports: the name, `*` for everything, and the path that it comes from.
    exports: BTreeMap<Module, Vec<(String, Module)>>,
}

pub(crate) fn offences(sources: &[Source]) -> Vec<Offence> {
    let roots = sources
        .iter()
        .filter_map(|s| s.path.strip_suffix("lib.rs").or_else(|| s.path.strip_suffix("main.rs")));
    let roots: BTreeSet<&str> = roots.filter(|root| !root.is_empty()).collect();
    let mut found = vec![];
    for name in roots {
        let of_crate = Crate::new(name, sources);
        found.extend(of_crate.circles().into_iter().map(|circle| Offence {
            check: Check::Circle,
            size: circle.len(),
            place: format!("{name}: {}", circle.join(" ")),
        }));
    }
    found
}

impl<'a> Crate<'a> {
    fn new(name: &'a str, sources: &'a [Source]) -> Self {
        let mine = sources.iter().filter_map(|s| Some((module_of(s.path.strip_prefix(name)?), s)));
        let files: BTreeMap<Module, &Source> = mine.collect();
        let mut exports: BTreeMap<Module, Vec<(String, Module)>> = BTreeMap::new();
        for (module, source) in &files {
            let mut uses = Uses { at: module.clone(), paths: vec![], exports: vec![] };
            uses.visit_file(&source.parsed);
            exports.insert(module.clone(), uses.exports);
        }
        Self { name, files, exports }
    }

    /// The module whose file holds what this path from the root names.
    fn home(&self, path: &[String], depth: usize) -> Module {
        let here = (0..=path.len()).rev().map(|n| &path[..n]);
        let module = here.into_iter().find(|m| self.files.contains_key(*m)).unwrap_or(&[]).to_vec();
        let Some(item) = path.get(module.len()).filter(|_| depth < 8) else { return module };
        let exports = self.exports.get(&module).map_or(&[][..], Vec::as_slice);
        let by_name = exports.iter().find(|(name, _)| name == item);
        by_name.map_or(module, |(_, from)| self.home(from, depth + 1))
    }

    /// Which other files a file uses, relatives left out.
    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of = |module: &Module, source: &Source| {
            let mut uses = Uses { at: module.clone(), paths: vec![], exports: vec![] };
            uses.visit_file(&source.parsed);
            let homes = uses.paths.iter().map(|path| self.home(path, 0));
            homes.filter(|home| !home.starts_with(module) && !module.starts_with(home)).collect()
        };
        self.files.iter().map(|(module, source)| (module, of(module, source))).collect()
    }

    /// Groups of files that reach each other.
    fn circles(&self) -> Vec<Vec<String>> {
        let edges = self.edges();
        let reach = |from: &Module| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = next.pop() {
                let more = edges.get(&module).into_iter().flatten();
                next.extend(more.filter(|m| seen.insert((*m).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|module| (module, reach(module))).collect();
        let mut groups = BTreeSet::new();
        for (module, seen) in &reached {
            let back = |other: &&Module| reached.get(*other).is_some_and(|r| r.contains(*module));
            let group: Vec<String> = seen.iter().filter(back).map(|m| self.file(m)).collect();
            if group.len() > 1 {
                groups.insert(group);
            }
        }
        groups.into_iter().collect()
    }

    fn file(&self, module: &Module) -> String {
        let path = self.files[module].path.as_str();
        path.strip_prefix(self.name).unwrap_or(path).to_owned()
    }
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; the root's file is nothing.
fn module_of(file: &str) -> Module {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" | "main" => vec![],
        _ => stem.split('/').map(str::to_owned).collect(),
    }
}

/// Paths of one file, from the root of the crate.
struct Uses {
    at: Module,
    paths: Vec<Module>,
    exports: Vec<(String, Module)>,
}

impl Uses {
    /// `None` where the path leaves the crate, or begins with something in scope.
    fn absolute(&self, segments: &[String]) -> Option<Module> {
        let mut base = match segments.first()?.as_str() {
            "crate" => vec![],
            "self" => self.at.clone(),
            "super" => self.at[..self.at.len().checked_sub(1)?].to_vec(),
            _ => return None,
        };
        for segment in &segments[1..] {
            match segment.as_str() {
                "super" => drop(base.pop()),
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }

    fn leaves(prefix: &[String], tree: &UseTree, out: &mut Vec<(String, Module)>) {
        let with = |name: String| [prefix, &[name]].concat();
        match tree {
            UseTree::Path(path) => Self::leaves(&with(path.ident.to_string()), &path.tree, out),
            UseTree::Name(name) => out.push((name.ident.to_string(), with(name.ident.to_string()))),
            UseTree::Rename(name) => {
                out.push((name.rename.to_string(), with(name.ident.to_string())));
            }
            UseTree::Glob(_) => out.push(("*".into(), prefix.to_vec())),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| Self::leaves(prefix, tree, out));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(x) => &x.attrs,
            Item::Use(x) => &x.attrs,
            Item::Impl(x) => &x.attrs,
            Item::Mod(x) => &x.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !tree::is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.at.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut leaves = vec![];
        Self::leaves(&[], &item.tree, &mut leaves);
        let private = matches!(item.vis, syn::Visibility::Inherited);
        for (name, path) in leaves {
            // A re-export may name a child without `self`.
            let mut from_here = vec!["self".to_owned()];
            from_here.extend(path.iter().cloned());
            match self.absolute(&path) {
                Some(path) if private => self.paths.push(path),
                Some(path) => self.exports.push((name, path)),
                None if !private => {
                    self.exports.extend(self.absolute(&from_here).map(|p| (name, p)))
                }
                None => {}
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // `self` alone is a receiver.
        if segments.len() > 1 {
            self.paths.extend(self.absolute(&segments));
        }
        visit::visit_path(self, path);
    }
}

#[test]
fn a_circle_is_seen() {
    let circles = |texts: &[(&str, &str)]| -> Vec<String> {
        let sources: Vec<Source> =
            texts.iter().map(|(path, text)| Source::new(path, text)).collect();
        offences(&sources).into_iter().map(|offence| offence.place).collect()
    };
    let lib = ("x/src/lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\npub(crate) use b::B;");
    let a = ("x/src/a.rs", "use crate::B;\npub struct A(B);");
    let b = ("x/src/b/mod.rs", "mod deep;\npub(crate) struct B;");
    let back = ("x/src/b/deep.rs", "fn f(_: crate::c::C) {}");
    let c = ("x/src/c.rs", "use crate::A;\npub struct C(A);");
    assert_eq!(circles(&[lib, a, b, c]), Vec::<String>::new());
    assert_eq!(
        circles(&[lib, a, b, back, c]),
        Vec::<String>::new(),
        "a part of b uses c, b does not"
    );
    let b = ("x/src/b/mod.rs", "mod deep;\nuse super::c::C;\npub(crate) struct B(C);");
    assert_eq!(circles(&[lib, a, b, c]), ["x/src/: a.rs b/mod.rs c.rs"], "through re-exports");
    let b = (
        "x/src/b/mod.rs",
        "pub(crate) struct B;\n#[cfg(test)]\nmod tests { use super::super::c::C; }",
    );
    assert_eq!(circles(&[lib, a, b, c]), Vec::<String>::new(), "tests may look around");
}
