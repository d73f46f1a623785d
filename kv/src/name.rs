//! Map names and what they say about a map: who may see it and to whom it belongs.

use core::fmt;
use std::sync::Arc;

use affiant_proof::tables;

use crate::error::KvError;
use crate::limits::MAP_NAME_BYTES_MAX;

/// The name of a map. Cheap to clone. A map is public iff its name starts with `public:`.
///
/// ```
/// use affiant_kv::MapName;
///
/// let private = MapName::new("accounts")?; // encrypted in the ledger
/// let public = MapName::new("public:rates")?; // anyone with the ledger's files can read it
/// assert!(public.is_public() && !private.is_public());
/// # Ok::<(), affiant_kv::KvError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapName(Arc<str>);

/// To whom a map belongs (CCF `include/ccf/kv/map.h`).
///
/// ```
/// use affiant_kv::{Category, MapName};
///
/// assert_eq!(MapName::new("public:ccf.gov.users.certs")?.category(), Category::Governance);
/// # Ok::<(), affiant_kv::KvError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `ccf.internal.`: written by the node alone.
    Internal,
    /// `ccf.gov.`: written by governance.
    Governance,
    /// Everything else: the application's.
    Application,
}

impl MapName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// Empty, longer than [`MAP_NAME_BYTES_MAX`], or under the reserved prefix `ccf.` in a category
    /// that does not exist.
    ///
    /// ```
    /// use affiant_kv::MapName;
    ///
    /// assert!(MapName::new("notes").is_ok());
    /// assert!(MapName::new("").is_err());
    /// assert!(MapName::new("ccf.mine").is_err());
    /// ```
    pub fn new(name: &str) -> Result<Self, KvError> {
        if name.is_empty() || name.len() > MAP_NAME_BYTES_MAX {
            return Err(KvError::MapName {
                name: name.chars().take(64).collect(),
                reason: "a map name has between 1 and 1024 bytes",
            });
        }
        let bare = name.strip_prefix("public:").unwrap_or(name);
        let known = bare.starts_with("ccf.internal.") || bare.starts_with("ccf.gov.");
        if bare.starts_with("ccf.") && !known {
            return Err(KvError::MapName {
                name: name.to_owned(),
                reason: "the prefix ccf. is reserved; only ccf.gov. and ccf.internal. exist",
            });
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    ///
    /// ```
    /// # use affiant_kv::MapName;
    /// assert_eq!(MapName::new("notes")?.as_str(), "notes");
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the map's contents are written in the clear.
    ///
    /// ```
    /// # use affiant_kv::MapName;
    /// assert!(MapName::new("public:rates")?.is_public());
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.starts_with("public:")
    }

    fn is_internal_public(&self) -> bool {
        self.0.starts_with("public:ccf.internal.")
    }

    /// Whether this is a table of the node or of governance other than those that every signature
    /// writes: nearly every request reads some, hardly any transaction writes one.
    pub(crate) fn is_governed(&self) -> bool {
        self.category() != Category::Application && !self.is_signature_table()
    }

    /// Whether only signature entries write it.
    pub(crate) fn is_signature_table(&self) -> bool {
        self.is_internal_public()
            && matches!(self.as_str(), tables::SIGNATURES | tables::COSE_SIGNATURES | tables::TREE)
    }

    /// To whom the map belongs.
    ///
    /// ```
    /// # use affiant_kv::{Category, MapName};
    /// assert_eq!(MapName::new("notes")?.category(), Category::Application);
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn category(&self) -> Category {
        let bare = self.0.strip_prefix("public:").unwrap_or(&self.0);
        if bare.starts_with("ccf.internal.") {
            Category::Internal
        } else if bare.starts_with("ccf.gov.") {
            Category::Governance
        } else {
            Category::Application
        }
    }
}

impl core::borrow::Borrow<str> for MapName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_domain_and_category() {
        let name = |text: &str| MapName::new(text);
        assert!(name("public:ccf.gov.users.certs").is_ok_and(|n| n.is_public()));
        assert_eq!(name("public:ccf.gov.x").map(|n| n.category()).ok(), Some(Category::Governance));
        assert_eq!(name("ccf.internal.x").map(|n| n.category()).ok(), Some(Category::Internal));
        assert_eq!(name("records").map(|n| n.category()).ok(), Some(Category::Application));
        assert!(name("public:ccf.foo").is_err());
        assert!(name("ccf.foo").is_err());
        assert!(name("").is_err());
    }
}
