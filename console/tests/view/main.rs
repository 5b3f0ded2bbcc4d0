//! The latest rows, of changes as the direct road writes them: what the source did, told in PostgreSQL's words, and what
//! `select *` shows afterwards.

mod dead_letters;
mod doubts;
mod keys;
mod lake;
mod large;
mod names;
mod toast;
mod whole_rows;
