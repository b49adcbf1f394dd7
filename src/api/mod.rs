//! The SQL-callable functions, one file a topic.

mod canonical;
