//! The quick start of README.md holds, and is what the page shows.

#[path = "../examples/quick_start.rs"]
mod quick_start;

#[test]
fn the_quick_start_runs_as_the_page_shows_it() {
    let shown = format!("```rust\n{}```\n", include_str!("../examples/quick_start.rs"));
    assert!(include_str!("../README.md").contains(&shown), "README.md shows another text than examples/quick_start.rs");
    quick_start::main();
}
