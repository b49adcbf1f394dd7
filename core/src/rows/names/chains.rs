//! Names of chains: the text of columns, as names of rows are.

use super::epochs::Key;
use super::texts::{Texts, texts};
use crate::rows::column_mapping::Layouts;
use crate::rows::layout::{CurrentColumns, Layout};

impl Layouts {
    /// The name of one of these columns, which name a row's chain, whose text was another for the same value
    /// under a layout that entries from this one on may name; `None` if there is none. Such a row is in one chain
    /// by its entries, and in another by its columns. Where it is but labels that are called otherwise, those count
    /// that are `asked` for.
    pub fn renames_chains<'a>(
        &self,
        columns: &[i16],
        present: &'a CurrentColumns,
        from: i64,
        asked: &dyn Fn(&str) -> bool,
    ) -> Option<&'a str> {
        let key = |layout: &Layout| Key {
            layout: layout.id,
            incarnation: layout.incarnation.clone(),
            encoding: layout.encoding,
            columns: layout
                .columns
                .iter()
                .chain(&layout.others)
                .cloned()
                .collect(),
            shapes: layout.shapes.clone(),
        };
        let now = Key::of_present(present);
        let begun = self.iter().filter(|layout| layout.seq < from);
        let begun = begun.map(|layout| layout.seq).max().unwrap_or(from);
        let named: Vec<Key> = self
            .iter()
            .filter(|layout| layout.seq >= begun)
            .map(key)
            .collect();
        let reads_otherwise = |attnum: &i16| {
            let new = now.columns.iter().find(|column| column.attnum == *attnum)?;
            let differs = |then: &Key| {
                let old = then.columns.iter().find(|old| then.is_same(old, &now, new));
                match old.map(|old| texts((then, old), (&now, new))) {
                    None | Some(Texts::Same) => false,
                    Some(Texts::Relabelled(labels)) if columns.len() == 1 => labels
                        .iter()
                        .any(|(old, new)| old != new && (asked(old) || asked(new))),
                    Some(_) => true,
                }
            };
            named.iter().any(differs).then_some(*attnum)
        };
        let attnum = columns.iter().find_map(reads_otherwise)?;
        present.column(attnum).map(|column| &column.name[..])
    }
}
