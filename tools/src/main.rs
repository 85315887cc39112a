//! idledger
fn main() {}
