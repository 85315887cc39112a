//! Faults on purpose: once for the next call of a kind, or now and then by a seed.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::Duration;

/// The kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Streams/Append.
    Append,
    /// Streams/Read of one stream.
    ReadStream,
    /// Streams/Read of everything.
    ReadAll,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers *unavailable* and does nothing.
    FailedBefore,
    /// Does it and answers *unavailable*.
    FailedAfter,
    /// Does nothing and never answers.
    SilentBefore,
    /// Does it and never answers.
    SilentAfter,
    /// Cuts every connection and does nothing.
    CutBefore,
    /// Does it and cuts every connection.
    CutAfter,
    /// Says that another node is the leader (itself, if there is no other).
    NotLeader,
    /// Answers late.
    Late(Duration),
}

impl Fault {
    /// Those that can happen to any call.
    pub const ALL: [Self; 7] = [
        Self::FailedBefore,
        Self::FailedAfter,
        Self::SilentBefore,
        Self::SilentAfter,
        Self::CutBefore,
        Self::CutAfter,
        Self::NotLeader,
    ];
}

#[derive(Default)]
struct Plan {
    once: VecDeque<(Call, Fault)>,
    random: Option<(u64, u64)>,
    happened: u64,
    appends: u64,
    most_appends: u64,
}

/// The faults to come.
#[derive(Default)]
pub struct Faults(Mutex<Plan>);

impl Faults {
    /// The next call of this kind that has no fault yet fails in this way.
    pub fn next(&self, call: Call, fault: Fault) {
        self.0.lock().once.push_back((call, fault));
    }

    /// From now on so many calls in a thousand fail, chosen by the seed. 0: none.
    pub fn now_and_then(&self, seed: u64, of_thousand: u64) {
        self.0.lock().random = (of_thousand > 0).then_some((seed, of_thousand));
    }

    /// How many calls failed so far.
    pub fn happened(&self) -> u64 {
        self.0.lock().happened
    }

    /// How many appends were under way at once, at most.
    pub fn most_appends(&self) -> u64 {
        self.0.lock().most_appends
    }

    /// An append is under way until the answer is dropped.
    pub(super) fn append_begins(&self) -> UnderWay<'_> {
        let mut plan = self.0.lock();
        plan.appends += 1;
        plan.most_appends = plan.most_appends.max(plan.appends);
        UnderWay(self)
    }

    pub(super) fn take(&self, call: Call) -> Option<Fault> {
        let mut plan = self.0.lock();
        let at = plan.once.iter().position(|(of, _)| *of == call);
        let fault = if let Some(at) = at {
            plan.once.remove(at).map(|(_, fault)| fault)
        } else if let Some((seed, of_thousand)) = plan.random.as_mut() {
            let draw = next(seed);
            let which = next(seed);
            let few = [
                Fault::FailedBefore,
                Fault::FailedAfter,
                Fault::FailedAfter,
                Fault::NotLeader,
                Fault::CutBefore,
                Fault::CutAfter,
                Fault::SilentAfter,
                Fault::Late(Duration::from_millis(30)),
            ];
            (draw % 1000 < *of_thousand).then(|| few[which as usize % few.len()])
        } else {
            None
        };
        plan.happened += u64::from(fault.is_some());
        fault
    }
}

/// An append that is under way.
pub(super) struct UnderWay<'a>(&'a Faults);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.lock().appends -= 1;
    }
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
