//! Where a name leads: through modules, imports and re-exports to the module that defines it.

use crate::tree::Tree;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A module of this crate.
    Module(usize),
    /// An item, and the module that defines it.
    Item(usize, String),
    /// A name that nothing defines in the module; a macro may.
    Generated(usize, String),
    /// Another crate, or a name of a block.
    Outside,
}

/// Names that are being looked for already, by module: imports may go in circles.
type Visited = Vec<(usize, String)>;

impl Tree {
    /// Resolves a path as it stands in a module.
    pub(crate) fn resolve(&self, module: usize, path: &[String]) -> Target {
        self.relative(module, path, &mut Visited::new(), true)
    }

    /// Resolves the path of a `use`, whose first name cannot be the name that it introduces.
    pub(crate) fn resolve_import(&self, module: usize, path: &[String], name: Option<&str>) -> Target {
        let own = name.is_some_and(|name| path.len() == 1 && path[0] == name);
        self.relative(module, path, &mut Visited::new(), !own)
    }

    fn relative(&self, module: usize, path: &[String], visited: &mut Visited, through_uses: bool) -> Target {
        let Some((first, rest)) = path.split_first() else { return Target::Module(module) };
        match first.as_str() {
            "crate" => self.below(0, rest, visited),
            "self" => self.below(module, rest, visited),
            "super" => match self.modules[module].parent {
                // `super::super::x` goes on from the parent.
                Some(parent) if rest.first().is_some_and(|next| next == "super") => {
                    self.relative(parent, rest, visited, true)
                }
                Some(parent) => self.below(parent, rest, visited),
                None => Target::Outside,
            },
            name => {
                let here = &self.modules[module];
                let known = here.children.contains_key(name) || here.content.items.contains_key(name);
                if !known && !through_uses {
                    return Target::Outside;
                }
                match self.below(module, path, visited) {
                    // Nothing in scope has this name, so it is a crate's or a local one.
                    Target::Generated(at, _) if at == module => Target::Outside,
                    target => target,
                }
            }
        }
    }

    /// Resolves a path from within a module.
    fn below(&self, module: usize, path: &[String], visited: &mut Visited) -> Target {
        let Some((name, rest)) = path.split_first() else { return Target::Module(module) };
        let here = &self.modules[module];
        let child = here.children.get(name);
        if let (Some(child), false) = (child, rest.is_empty()) {
            return self.below(*child, rest, visited);
        }
        if here.content.items.contains_key(name) {
            return Target::Item(module, name.clone());
        }
        let entry = (module, name.clone());
        if visited.contains(&entry) {
            return child.map_or(Target::Outside, |child| Target::Module(*child));
        }
        visited.push(entry);
        let imported = self.imported(module, name, rest, visited);
        match (child, imported) {
            (Some(_), Some(target @ Target::Item(..))) => target,
            (Some(child), _) => Target::Module(*child),
            (None, Some(target)) => target,
            (None, None) => Target::Generated(module, name.clone()),
        }
    }

    /// What a module's imports make of a name.
    fn imported(&self, module: usize, name: &str, rest: &[String], visited: &mut Visited) -> Option<Target> {
        let uses = &self.modules[module].content.uses;
        let named = uses.iter().find(|import| import.name.as_deref() == Some(name));
        if let Some(import) = named {
            let own = import.path.len() == 1 && import.path[0] == name;
            return Some(match self.relative(module, &import.path, visited, !own) {
                Target::Module(found) => self.below(found, rest, visited),
                target => target,
            });
        }
        uses.iter().filter(|import| import.name.is_none()).find_map(|import| {
            let Target::Module(found) = self.relative(module, &import.path, visited, true) else { return None };
            let path: Vec<String> = std::iter::once(name.to_owned()).chain(rest.iter().cloned()).collect();
            match self.below(found, &path, visited) {
                Target::Generated(..) | Target::Outside => None,
                target => Some(target),
            }
        })
    }
}
