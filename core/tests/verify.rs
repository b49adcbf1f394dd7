//! Verifying chains in memory: clean ones in any order, and everything that can be done to them.

mod damage;
mod interface;
mod kept;
mod places;
mod random;
mod reference;
mod resume;
mod support;
mod tamper;
mod windows;
