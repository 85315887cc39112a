//! Progress on stderr, on a terminal only.
//!
//! Owns the look of the bars. A run whose stderr is not a terminal prints no progress at all.

use crate::output::{When, stderr_is_terminal};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws a second.
const REDRAWS_PER_S: u8 = 5;

/// A bar over `total` of something, or a counter where the total is not known.
pub fn bar(when: When, total: Option<u64>, what: &'static str) -> ProgressBar {
    let show = match when {
        When::Auto => stderr_is_terminal(),
        When::Always => true,
        When::Never => false,
    };
    if !show {
        return ProgressBar::hidden();
    }
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S));
    let template = if total.is_some() {
        "{msg:<12} [{bar:32}] {human_pos}/{human_len}  {per_sec}  {eta}"
    } else {
        "{msg:<12} {human_pos}  {per_sec}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}
