//! Locks per key.

use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A fixed number of locks; a name is mapped to one of them by its hash.
#[derive(Debug)]
pub struct Locks(Vec<RwLock<()>>);

impl Locks {
    /// Returns unlocked locks.
    pub fn new() -> Self {
        Self((0..1024).map(|_| RwLock::new(())).collect())
    }

    fn stripe(&self, space: &str, name: &str) -> &RwLock<()> {
        let mut hasher = DefaultHasher::new();
        // On a disk that folds case, two keys may be the same file and need the same lock.
        (space, name.to_lowercase()).hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % 1024).unwrap_or(0);
        &self.0[stripe]
    }

    /// Locks a name for reading.
    pub fn read(&self, space: &str, name: &str) -> RwLockReadGuard<'_, ()> {
        self.stripe(space, name).read()
    }

    /// Locks a name for writing.
    pub fn write(&self, space: &str, name: &str) -> RwLockWriteGuard<'_, ()> {
        self.stripe(space, name).write()
    }
}
