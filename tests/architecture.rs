//! The module structure of every crate: no import cycles, and imports in one direction only.
//!
//! An import is a path in code: `use` or inline, absolute (`crate::`), relative (`super::`, `self::`) or by the name of a
//! child module. A module that imports from its parent while the parent imports from it is a cycle, too. Test modules
//! are not part of the structure.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test, with its helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The path of a module in its crate, without `crate`; empty for the root.
type Module = Vec<String>;
/// The modules of a crate, each with the modules that it imports from.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_crate_has_an_import_cycle() {
    let cycles: Vec<String> = sources()
        .iter()
        .flat_map(|source| cycles(&imports(source)).into_iter().map(move |cycle| (source, cycle)))
        .map(|(source, cycle)| format!("{}: {}", source.display(), names(&cycle).join(", ")))
        .collect();
    assert!(cycles.is_empty(), "modules that import each other:\n{}", cycles.join("\n"));
}

#[test]
fn the_domains_of_the_core_import_in_one_direction() {
    const ORDER: [&str; 10] =
        ["time", "encoding", "varint", "id", "statistics", "intake", "upload", "notification", "device", "usage"];
    let rank = |module: &Module| ORDER.iter().position(|domain| Some(*domain) == module.first().map(String::as_str));
    let imports = imports(&root().join("crates/core/src"));
    for (module, targets) in &imports {
        for target in targets {
            let (Some(from), Some(to)) = (rank(module), rank(target)) else { continue };
            assert!(to <= from, "{} must not import {}", module.join("::"), target.join("::"));
        }
    }
    let known: BTreeSet<&str> = imports.keys().filter_map(|module| module.first()).map(String::as_str).collect();
    assert_eq!(known, BTreeSet::from(ORDER), "every domain of the core has its place in ORDER");
}

#[test]
fn adapters_do_not_import_workflows() {
    let imports = imports(&root().join("crates/aws/src"));
    let is_in = |module: &Module, name: &str| module.first().is_some_and(|first| first == name);
    assert!(imports.keys().any(|module| is_in(module, "adapters")), "there are adapters");
    for (module, targets) in imports.iter().filter(|(module, _)| is_in(module, "adapters")) {
        let workflow = targets.iter().find(|target| is_in(target, "workflows"));
        assert_eq!(workflow, None, "{} imports a workflow", module.join("::"));
    }
}

/// A function that aborts on a panic ends with all that it serves: the router and `lambda_runtime` could not catch it.
#[test]
fn panics_unwind_in_every_profile() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let release = manifest.split_once("[profile.release]\n").map_or("", |(_, rest)| rest);
    let release = release.split_once("\n[").map_or(release, |(section, _)| section);
    assert!(release.lines().any(|line| line == "panic = \"unwind\""), "{release}");
    assert!(!manifest.contains("panic = \"abort\""), "no other profile aborts");
}

#[test]
fn a_cycle_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let import = |from: &str, to: &str| (module(from), BTreeSet::from([module(to)]));
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static [&'static str]]);
    let rows: [Row; 3] = [
        ("a line", &[("a", "b"), ("b", "c")], &[]),
        ("two", &[("a", "b"), ("b", "a"), ("c", "a")], &[&["a", "b"]]),
        ("three", &[("a", "b"), ("b", "c"), ("c", "a")], &[&["a", "b", "c"]]),
    ];
    for (name, edges, expected) in rows {
        let found = cycles(&edges.iter().map(|(from, to)| import(from, to)).collect());
        let found: Vec<Vec<String>> = found.iter().map(names).collect();
        assert_eq!(found, expected, "{name}");
    }
}

fn names(modules: &BTreeSet<Module>) -> Vec<String> {
    modules.iter().map(|module| if module.is_empty() { "the root".to_owned() } else { module.join("::") }).collect()
}

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the source directory of each crate.
fn sources() -> Vec<PathBuf> {
    let crates = ["crates", "functions"].into_iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let mut sources: Vec<PathBuf> = crates.map(|entry| entry.unwrap().path().join("src")).collect();
    sources.retain(|source| source.is_dir());
    sources.sort();
    assert!(sources.len() > 5, "the crates are found");
    sources
}

/// Reads which modules of a crate import from which.
fn imports(source: &Path) -> Imports {
    let mut files = BTreeMap::new();
    read_modules(source, &Module::new(), &mut files);
    let modules: BTreeSet<Module> = files.keys().cloned().collect();
    let imports = files.iter().map(|(module, file)| {
        let mut paths = Paths { module, modules: &modules, targets: BTreeSet::new() };
        paths.visit_file(file);
        paths.targets.remove(module);
        (module.clone(), paths.targets)
    });
    imports.collect()
}

/// Parses every source file below a directory, but those of tests.
fn read_modules(directory: &Path, parent: &Module, files: &mut BTreeMap<Module, syn::File>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" || name.ends_with("_tests") {
            continue;
        }
        let child: Module = parent.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            read_modules(&path, &child, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // Beside a library, the binary is a crate of its own.
            let is_root =
                matches!(name.as_str(), "lib" | "mod") || name == "main" && !directory.join("lib.rs").exists();
            let module = if is_root { parent.clone() } else { child };
            let text = fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(module, file);
        }
    }
}

/// Collects the modules that the paths of a file lead to.
struct Paths<'a> {
    module: &'a Module,
    modules: &'a BTreeSet<Module>,
    targets: BTreeSet<Module>,
}

impl Paths<'_> {
    /// Records the module that a path leads to, if it is one of this crate.
    fn add(&mut self, path: &[String]) {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let first = path.first().map(String::as_str).unwrap_or_default();
        let mut target: Module = match first {
            "crate" => path.iter().skip(1).cloned().collect(),
            "self" => self.module.iter().chain(path.iter().skip(1)).cloned().collect(),
            "super" => {
                let parents = self.module.len().saturating_sub(ups);
                self.module.iter().take(parents).chain(path.iter().skip(ups)).cloned().collect()
            }
            _ => {
                let child: Module = self.module.iter().chain(path.first()).cloned().collect();
                if !self.modules.contains(&child) {
                    return; // another crate, or an item of this module
                }
                self.module.iter().chain(path).cloned().collect()
            }
        };
        while !self.modules.contains(&target) && target.pop().is_some() {}
        self.targets.insert(target);
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| -> Vec<String> { prefix.iter().cloned().chain([name.to_string()]).collect() };
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(prefix),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }

    /// An inline module has the imports of its file; one of tests has none.
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() && item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    /// The visibility `pub(in crate::…)` is not an import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// Returns the largest sets of modules that all reach each other.
fn cycles(imports: &Imports) -> Vec<BTreeSet<Module>> {
    let reachable = |start: &Module| -> BTreeSet<Module> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start.clone()]);
        while let Some(module) = open.pop() {
            for target in imports.get(&module).into_iter().flatten() {
                if seen.insert(target.clone()) {
                    open.push(target.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&Module, BTreeSet<Module>> = imports.keys().map(|module| (module, reachable(module))).collect();
    let mut cycles: BTreeSet<BTreeSet<Module>> = BTreeSet::new();
    for (module, targets) in &reach {
        if targets.contains(*module) {
            let returns = |target: &&Module| reach.get(*target).is_some_and(|back| back.contains(*module));
            cycles.insert(targets.iter().filter(returns).cloned().collect());
        }
    }
    cycles.into_iter().collect()
}
