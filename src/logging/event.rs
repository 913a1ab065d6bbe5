//! The kinds of things that the log tells of, and how loud each is.

use tracing::Level;

use crate::engine::backfill::Ending;
use crate::engine::fact::{Fact, FinalState};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The daemon started.
    Opened,
    /// Definitions came into force.
    Configured,
    /// From here on nothing starts.
    Draining,
    /// Somebody has asked the daemon to leave.
    Leaving,
    /// A run exists.
    Accepted,
    /// A run waits for no other one any more.
    Released,
    /// Another run that a run waits for is over.
    Met,
    /// A run is spread into parts.
    Spread,
    /// A run's time has come.
    Due,
    /// An attempt started.
    Started,
    /// The command of an attempt is being made, and its timeout counts from here.
    Began,
    /// An attempt came further.
    Progress,
    /// A command wrote a line.
    Output,
    /// An attempt was asked to stop.
    Stopping,
    /// An attempt that was asked to stop has not left its lane, and its time for that is over.
    Unresponsive,
    /// A run succeeded.
    Finished,
    /// An attempt has failed, and another one is to follow.
    Retrying,
    /// An attempt was cut short; its run waits in line again.
    Interrupted,
    /// A run that was over is tried once more.
    Retried,
    /// Something was handed to a running attempt.
    Sent,
    /// Nothing starts that needs this.
    Paused,
    /// What needs this starts again.
    Resumed,
    /// A run failed.
    Failed,
    /// A run was cancelled.
    Cancelled,
    /// A run will never start.
    Skipped,
    /// Slots of a schedule were decided on.
    Evaluated,
    /// What was measured of a job says that it is in the wrong lane.
    Misplaced,
    /// The same of a job that finds its lane by itself: it goes to the other one.
    Moved,
    /// What was found of the lane of a job counts no more.
    Reconsidered,
    /// Slots of the past are to be run.
    Backfill,
    /// A backfill has gone on.
    BackfillMoved,
    /// No more slots of a backfill are run: it is done, or was cancelled.
    BackfillDone,
    /// The same, and nobody has asked for that.
    BackfillBroken,
    /// The clock was set, or the machine slept.
    ClockSet,
    /// A job of which a success is expected in a time was heard of.
    Heard,
    /// One was heard of again after its time was over.
    HeardAgain,
    /// No success of a job came in the time in which it is expected.
    Absent,
    /// Attempts may begin before their start is on record.
    Announced,
}

impl Event {
    /// All of them.
    pub(super) const ALL: [Self; 38] = [
        Self::Opened,
        Self::Configured,
        Self::Draining,
        Self::Leaving,
        Self::Accepted,
        Self::Released,
        Self::Met,
        Self::Spread,
        Self::Due,
        Self::Started,
        Self::Began,
        Self::Progress,
        Self::Output,
        Self::Stopping,
        Self::Unresponsive,
        Self::Finished,
        Self::Retrying,
        Self::Interrupted,
        Self::Retried,
        Self::Sent,
        Self::Paused,
        Self::Resumed,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::Evaluated,
        Self::Misplaced,
        Self::Moved,
        Self::Reconsidered,
        Self::Backfill,
        Self::BackfillMoved,
        Self::BackfillDone,
        Self::BackfillBroken,
        Self::ClockSet,
        Self::Heard,
        Self::HeardAgain,
        Self::Absent,
        Self::Announced,
    ];

    /// The one of this word.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// The number by which the journal knows such messages; its catalog (systemd/twolane.catalog) explains
    /// them. A number never changes its meaning.
    pub(super) const fn message_id(self) -> u128 {
        match self {
            Self::Opened => 0xac59_ac72_6355_4346_819d_4125_1ddf_cde7,
            Self::Configured => 0x51a6_630e_0285_421b_8e5a_343e_0fda_4142,
            Self::Draining => 0xf685_8b9f_4bd8_4d0c_8171_1979_0a24_0d62,
            Self::Leaving => 0xaab6_935f_ea97_4a75_bafb_e484_e43d_eea7,
            Self::Accepted => 0x51b1_80d6_6173_401d_80a2_c839_d6d8_2efd,
            Self::Released => 0xc3ea_3c3a_e72b_4c1a_bf94_85a4_452d_3b65,
            Self::Met => 0x32fd_9602_a4df_499f_b867_cc31_f8f9_31a3,
            Self::Spread => 0x004e_e135_0212_491c_ad32_24be_31e6_a936,
            Self::Due => 0xa55d_69e9_957f_47fb_9557_bb5b_67e9_d834,
            Self::Started => 0xb854_02f7_3e6a_4c07_b7fd_2556_573e_835e,
            Self::Began => 0x6877_a5b7_7766_46d0_8670_7a37_9b67_76b0,
            Self::Progress => 0x5267_a7be_3dc3_4658_ba90_73d1_bb9a_34b1,
            Self::Output => 0x5c0d_f5aa_bec3_43d3_b778_c049_bfb1_68e4,
            Self::Stopping => 0x027d_84a7_413f_400e_8211_c34e_b21e_71cc,
            Self::Unresponsive => 0xc4e5_01a8_b20e_46a4_87b9_4972_893f_ef3f,
            Self::Finished => 0xf197_0141_7a27_4c08_aac0_ee71_d967_44f4,
            Self::Retrying => 0xd869_e195_b53a_471b_97ab_0c56_010d_568e,
            Self::Interrupted => 0x20fe_ec0a_6051_41f3_9ddb_0b02_687c_5320,
            Self::Retried => 0x9d33_e948_121c_488f_927a_4471_72a2_6806,
            Self::Sent => 0xe962_b3a2_df3e_4c6b_a80d_9a0c_66c3_8c27,
            Self::Paused => 0xc546_e553_367e_41d1_a552_cabd_5819_f6fb,
            Self::Resumed => 0x003e_17c1_ffba_4615_a903_f136_4e6c_2fd7,
            Self::Failed => 0x7856_b515_64e1_4b3e_9aa1_9ba0_1469_ed3c,
            Self::Cancelled => 0x9c1b_4018_3338_4f56_84ed_242b_6084_b60d,
            Self::Skipped => 0x3ec6_ba2c_3574_4004_a0b8_ea9e_8a5b_58df,
            Self::Evaluated => 0x7d01_a854_042e_4f39_bce7_d33d_316a_f1f4,
            Self::Misplaced => 0xb8d0_cae1_6260_4a03_8f7d_bc1c_88e2_c928,
            Self::Moved => 0xf734_9b7f_7179_4de0_b448_f5c1_992a_01b1,
            Self::Reconsidered => 0x4c1f_93d7_20be_4a6b_9e35_7f08_c2d1_86ea,
            Self::Backfill => 0x6fa1_8556_1857_4959_8663_439b_a17a_a121,
            Self::BackfillMoved => 0xe8e1_eb9a_de0f_4ed0_8b44_df1d_15ab_53ab,
            Self::BackfillDone => 0x66bf_010b_ab86_4100_a92a_c074_e592_5010,
            Self::BackfillBroken => 0x2d5e_0b6a_93c1_4f27_b8e4_71f3_0c9d_a652,
            Self::ClockSet => 0x7020_b226_b9a9_4d06_922a_6747_b16b_796f,
            Self::Heard => 0xd47a_7ae1_6142_41c2_af44_2898_f2c2_0620,
            Self::HeardAgain => 0xac5e_c171_8af4_4b93_a796_d2f4_9b56_269e,
            Self::Absent => 0xf901_4409_6b64_4c66_93c4_01d9_4090_f031,
            Self::Announced => 0x1015_b8e0_3a40_9ee5_4f3b_7697_f25a_38d9,
        }
    }

    /// What a fact tells of.
    #[must_use]
    pub const fn of(fact: &Fact) -> Self {
        match fact {
            Fact::Opened => Self::Opened,
            Fact::Configured { .. } => Self::Configured,
            Fact::Draining => Self::Draining,
            Fact::Leaving => Self::Leaving,
            Fact::Accepted { .. } => Self::Accepted,
            Fact::Released { .. } => Self::Released,
            Fact::Met { .. } => Self::Met,
            Fact::Spread { .. } => Self::Spread,
            Fact::Due { .. } => Self::Due,
            Fact::Started { .. } => Self::Started,
            Fact::Began { .. } => Self::Began,
            Fact::Stopping { .. } => Self::Stopping,
            Fact::Unresponsive { .. } => Self::Unresponsive,
            Fact::Ended { state, .. } | Fact::Gathered { state, .. } => match state {
                FinalState::Succeeded => Self::Finished,
                FinalState::Failed(_) => Self::Failed,
                FinalState::Cancelled(_) => Self::Cancelled,
            },
            Fact::Retrying { .. } => Self::Retrying,
            Fact::GivenUp { .. } => Self::Failed,
            Fact::Interrupted { .. } => Self::Interrupted,
            Fact::Retried { .. } => Self::Retried,
            Fact::Sent { .. } => Self::Sent,
            Fact::Paused { .. } => Self::Paused,
            Fact::Resumed { .. } => Self::Resumed,
            Fact::Cancelled { .. } => Self::Cancelled,
            Fact::Skipped { .. } => Self::Skipped,
            Fact::Evaluated { .. } => Self::Evaluated,
            Fact::Misplaced { finding, .. } if finding.moves => Self::Moved,
            Fact::Misplaced { .. } => Self::Misplaced,
            Fact::Reconsidered { .. } => Self::Reconsidered,
            Fact::BackfillAccepted { .. } => Self::Backfill,
            Fact::BackfillMoved { .. } => Self::BackfillMoved,
            Fact::BackfillEnded { ending, .. } => match ending {
                Ending::Done | Ending::Cancelled => Self::BackfillDone,
                Ending::Removed | Ending::Refused(_) => Self::BackfillBroken,
            },
            Fact::ClockSet { .. } => Self::ClockSet,
            Fact::Heard { again: false, .. } => Self::Heard,
            Fact::Heard { again: true, .. } => Self::HeardAgain,
            Fact::Absent { .. } => Self::Absent,
            Fact::Announced { .. } => Self::Announced,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Configured => "configured",
            Self::Draining => "draining",
            Self::Leaving => "leaving",
            Self::Accepted => "accepted",
            Self::Released => "released",
            Self::Met => "met",
            Self::Spread => "spread",
            Self::Due => "due",
            Self::Started => "started",
            Self::Began => "began",
            Self::Progress => "progress",
            Self::Output => "output",
            Self::Stopping => "stopping",
            Self::Unresponsive => "unresponsive",
            Self::Finished => "finished",
            Self::Retrying => "retrying",
            Self::Interrupted => "interrupted",
            Self::Retried => "retried",
            Self::Sent => "sent",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Evaluated => "evaluated",
            Self::Misplaced => "misplaced",
            Self::Moved => "moved",
            Self::Reconsidered => "reconsidered",
            Self::Backfill => "backfill",
            Self::BackfillMoved => "backfill moved",
            Self::BackfillDone => "backfill done",
            Self::BackfillBroken => "backfill broken",
            Self::ClockSet => "clock set",
            Self::Heard => "heard",
            Self::HeardAgain => "heard again",
            Self::Absent => "absent",
            Self::Announced => "announced",
        }
    }

    /// How loud it is. ERROR stays for twolane itself being broken: a job that fails is a warning.
    /// Of what happens to the scheduler as a whole the daemon tells people in words of its own.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Opened
            | Self::Configured
            | Self::Draining
            | Self::Leaving
            | Self::Accepted
            | Self::Released
            | Self::Met
            | Self::Began
            | Self::Evaluated
            | Self::BackfillMoved
            | Self::Heard
            | Self::Announced
            | Self::Due => Level::DEBUG,
            Self::Started
            | Self::Spread
            | Self::Progress
            | Self::Output
            | Self::Stopping
            | Self::Finished
            | Self::Retried
            | Self::Sent
            | Self::Paused
            | Self::Resumed
            | Self::Cancelled
            | Self::HeardAgain
            | Self::Moved
            | Self::Reconsidered
            | Self::Backfill
            | Self::BackfillDone
            | Self::Skipped => Level::INFO,
            Self::Failed
            | Self::Interrupted
            | Self::Retrying
            | Self::Unresponsive
            | Self::Absent
            | Self::Misplaced
            | Self::BackfillBroken
            | Self::ClockSet => Level::WARN,
        }
    }

    /// Whether it happened to the scheduler as a whole, and to no run or job.
    #[must_use]
    pub const fn of_no_run(self) -> bool {
        matches!(
            self,
            Self::Opened
                | Self::Configured
                | Self::Draining
                | Self::Leaving
                | Self::Paused
                | Self::Resumed
                | Self::Evaluated
                | Self::ClockSet
                | Self::Heard
                | Self::Announced
        )
    }
}
