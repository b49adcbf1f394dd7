//! Rows of audited tables and their entries, as verification reads them.

