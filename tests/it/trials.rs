//! Policy tests: what files may say, and what comes of them when they are tried on the real sandbox.

mod files;
mod program;
mod run;
