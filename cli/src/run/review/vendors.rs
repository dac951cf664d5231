//! The vendors' rules in force, in the words of a configuration file.

use std::time::Duration;

use pinfold_policy::vendor::{Mode, OnMismatch, OnPathChange, Recheck, Rules, Unpinned};

/// Each rule by its key, and its value.
pub(super) fn in_force(rules: &Rules) -> Vec<(&'static str, String)> {
    let Rules {
        guard,
        mode,
        unpinned,
        on_mismatch,
        substitute,
        recheck,
        cooldown,
        on_path_change,
        revoke_worker,
        websocket,
    } = rules;
    let guard: Vec<_> = guard.iter().map(|kind| format!("\"{kind}\"")).collect();
    vec![
        ("mode", quoted(mode_word(*mode))),
        ("guard", format!("[{}]", guard.join(", "))),
        ("unpinned", quoted(unpinned_word(*unpinned))),
        ("on_mismatch", quoted(on_mismatch_word(*on_mismatch))),
        ("substitute", substitute.to_string()),
        ("recheck", quoted(&recheck_text(*recheck))),
        ("cooldown", quoted(&cooldown.map_or_else(|| "off".to_owned(), duration))),
        ("on_path_change", quoted(on_path_change_word(*on_path_change))),
        ("revoke_worker", revoke_worker.to_string()),
        ("websocket", quoted(if *websocket { "allow" } else { "block" })),
    ]
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}

fn unpinned_word(unpinned: Unpinned) -> &'static str {
    match unpinned {
        Unpinned::Block => "block",
        Unpinned::Quarantine => "quarantine",
        Unpinned::Learn => "learn",
        Unpinned::Allow => "allow",
    }
}

fn on_mismatch_word(on_mismatch: OnMismatch) -> &'static str {
    match on_mismatch {
        OnMismatch::Block => "block",
        OnMismatch::Quarantine => "quarantine",
    }
}

fn on_path_change_word(on_path_change: OnPathChange) -> &'static str {
    match on_path_change {
        OnPathChange::Report => "report",
        OnPathChange::Quarantine => "quarantine",
    }
}

fn recheck_text(recheck: Recheck) -> String {
    match recheck {
        Recheck::Always => "always".to_owned(),
        Recheck::Every(interval) => duration(interval),
    }
}

/// In the largest unit that is exact: `7d`, `15m`, `90s`.
fn duration(lasts: Duration) -> String {
    let seconds = lasts.as_secs();
    let unit = [("d", 86_400), ("h", 3_600), ("m", 60)]
        .into_iter()
        .find(|(_, of)| seconds > 0 && seconds.is_multiple_of(*of));
    match unit {
        Some((unit, of)) => format!("{}{unit}", seconds / of),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_in_a_file() {
        let rules = Rules { cooldown: Some(Duration::from_secs(7 * 86_400)), ..Rules::default() };
        let shown: Vec<_> =
            in_force(&rules).into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
        assert_eq!(
            shown,
            [
                "mode = \"enforce\"",
                "guard = [\"script\", \"wasm\", \"installer\"]",
                "unpinned = \"block\"",
                "on_mismatch = \"quarantine\"",
                "substitute = false",
                "recheck = \"15m\"",
                "cooldown = \"7d\"",
                "on_path_change = \"report\"",
                "revoke_worker = false",
                "websocket = \"allow\"",
            ]
        );
        for (seconds, said) in
            [(0, "0s"), (1, "1s"), (90, "90s"), (120, "2m"), (5_400, "90m"), (86_400, "1d")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), said);
        }
    }
}
