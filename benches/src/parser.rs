//! What it costs to accept or refuse a document of the size that the limits allow.

use crate::measure::{Times, micros};

/// Prints the parser's cost by tokens.
pub fn run() {
    println!("\n## Documents\n\n| document | tokens | parse, median µs | p99 µs |\n| --- | --- | --- | --- |");
    for fields in [100, 500, 1_000, 1_990] {
        let names: Vec<String> = (0..fields).map(|field| format!("f{field}")).collect();
        line("flat fields", fields + 2, &format!("{{{}}}", names.join(" ")));
    }
    for depth in [4, 14] {
        let document = format!("{}id{}", "{ users { nodes ".repeat(depth), "}}".repeat(depth));
        line("nested", depth * 6 + 1, &document);
    }
}

fn line(what: &str, tokens: usize, document: &str) {
    let times = Times::of(20, 500, || {
        std::hint::black_box(async_graphql::parser::parse_query(std::hint::black_box(document)).is_ok());
    });
    println!("| {what} | {tokens} | {} | {} |", micros(times.median()), micros(times.p99()));
}
