//! The names of the intrinsic functions, and how many arguments each takes.

/// The functions of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

impl Function {
    /// Every function with its name in a definition.
    pub(super) const ALL: [(&'static str, Self); 18] = [
        ("States.Format", Self::Format),
        ("States.StringToJson", Self::StringToJson),
        ("States.JsonToString", Self::JsonToString),
        ("States.Array", Self::Array),
        ("States.ArrayPartition", Self::ArrayPartition),
        ("States.ArrayContains", Self::ArrayContains),
        ("States.ArrayRange", Self::ArrayRange),
        ("States.ArrayGetItem", Self::ArrayGetItem),
        ("States.ArrayLength", Self::ArrayLength),
        ("States.ArrayUnique", Self::ArrayUnique),
        ("States.Base64Encode", Self::Base64Encode),
        ("States.Base64Decode", Self::Base64Decode),
        ("States.Hash", Self::Hash),
        ("States.JsonMerge", Self::JsonMerge),
        ("States.MathRandom", Self::MathRandom),
        ("States.MathAdd", Self::MathAdd),
        ("States.StringSplit", Self::StringSplit),
        ("States.UUID", Self::Uuid),
    ];

    /// Returns the function of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// Returns the smallest and the largest number of arguments.
    pub(super) fn arity(self) -> (usize, usize) {
        match self {
            Self::Uuid => (0, 0),
            Self::Array => (0, usize::MAX),
            Self::Format => (1, usize::MAX),
            Self::StringToJson
            | Self::JsonToString
            | Self::ArrayLength
            | Self::ArrayUnique
            | Self::Base64Encode
            | Self::Base64Decode => (1, 1),
            Self::ArrayPartition
            | Self::ArrayContains
            | Self::ArrayGetItem
            | Self::Hash
            | Self::MathAdd
            | Self::StringSplit => (2, 2),
            Self::MathRandom => (2, 3),
            Self::ArrayRange | Self::JsonMerge => (3, 3),
        }
    }
}
