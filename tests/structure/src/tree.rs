//! A crate's modules, each with its file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::items::{Declared, Items, items};
use crate::tokens::{tokens, without_tests};

/// One module.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) public: bool,
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) content: Items,
}

/// All modules of one crate; the first is its root.
#[derive(Debug)]
pub struct Tree {
    pub(crate) modules: Vec<Module>,
}

/// A file that cannot be read, or a module without one.
#[derive(Debug)]
pub struct ReadError(String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

impl Tree {
    /// Reads a crate from its `lib.rs` or `main.rs` on.
    ///
    /// # Errors
    /// If a file cannot be read, or a module has no file.
    pub fn read(root: &Path) -> Result<Self, ReadError> {
        let mut tree = Self { modules: Vec::new() };
        let folder = root.parent().unwrap_or(Path::new(""));
        tree.add_file(root, folder, None, true)?;
        Ok(tree)
    }

    fn add_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        public: bool,
    ) -> Result<usize, ReadError> {
        let text = std::fs::read_to_string(file).map_err(|error| ReadError(format!("{}: {error}", file.display())))?;
        self.add(file, folder, parent, public, items(&without_tests(tokens(&text))))
    }

    /// Adds a module with all below it. `folder` is where the files of its children are.
    fn add(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        public: bool,
        mut content: Items,
    ) -> Result<usize, ReadError> {
        let declared = std::mem::take(&mut content.modules);
        let this = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, public, children: BTreeMap::new(), content });
        for Declared { name, public, line, path, body } in declared {
            let below = folder.join(&name);
            let child = match body {
                Some(body) => self.add(file, &below, Some(this), public, body)?,
                None => {
                    let beside = path.map(|path| file.parent().unwrap_or(Path::new("")).join(path));
                    let places = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
                    let found = beside.into_iter().chain(places).find(|place| place.is_file()).ok_or_else(|| {
                        ReadError(format!("{}:{line}: there is no file for `mod {name}`", file.display()))
                    })?;
                    self.add_file(&found, &below, Some(this), public)?
                }
            };
            self.modules[this].children.insert(name, child);
        }
        Ok(this)
    }

    /// All files, each once, in the order in which the modules are declared.
    pub fn files(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = Vec::new();
        for module in &self.modules {
            if !files.contains(&module.file.as_path()) {
                files.push(&module.file);
            }
        }
        files
    }
}
