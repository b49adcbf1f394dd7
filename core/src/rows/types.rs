//! Types whose values read otherwise when the type changes, as layouts of encoding 2 tell them.

use std::collections::BTreeMap;

use super::layout::Column;

/// What an enum, a composite or a base type that values contain was like (encoding 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The type's name, qualified.
    pub type_name: String,
    /// What its values depend on.
    pub form: Form,
}

/// What the values of a type depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// An enum's labels in their order.
    Labels(Vec<Label>),
    /// A composite type's attributes, by number.
    Attributes(Vec<Column>),
    /// A base type that is written by its send function.
    Send,
}

/// One label of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its oid, which is what values hold.
    pub oid: u32,
    /// How it reads.
    pub text: String,
}

/// Shapes by the type's oid.
pub type Shapes = BTreeMap<u32, Shape>;

/// How values of some types read under a recorded layout, by the types' oids now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Of an enum: how its labels read then, by their oids now.
    pub labels: BTreeMap<u32, BTreeMap<u32, String>>,
    /// Of a composite type: the attributes that it had then.
    pub attributes: BTreeMap<u32, Vec<Attribute>>,
    /// Of a base type: whether its send function wrote it then.
    pub sent: BTreeMap<u32, bool>,
}

/// An attribute as it was under a recorded layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its number now.
    pub attnum: i16,
    /// Its name then.
    pub name: String,
    /// Its type's modifier then.
    pub modifier: i32,
}
