use events::Timestamp;

/// Who has a part in a saga that may have to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Participant {
    /// `payment_service`.
    Payment,
    /// `inventory_service`.
    Inventory,
}

impl Participant {
    /// Both, in the order in which they are asked.
    pub const ALL: [Self; 2] = [Self::Payment, Self::Inventory];

    /// The word for it in logs and ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Inventory => "inventory",
        }
    }
}

/// What a participant was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// How often; 0 where it is about to be.
    pub times: u32,
    /// When last, in the time of the records.
    pub at: Timestamp,
    /// When last, by the clock: the wait for the answer counts from here.
    pub recorded_at: Timestamp,
}

/// How far a participant's part of a saga is. Both parts go the same way.
///
/// ```text
/// Idle ─► Asked ─► Granted ─► Undoing ─► Undone
///           │ └──► Refused       ▲
///           └────────────────────┘ given up: whether it was granted is unknown, so it is undone all the same
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// Nothing was asked for yet.
    #[default]
    Idle,
    /// It was asked for.
    Asked(Question),
    /// It was granted: the payment charged, every item reserved.
    Granted,
    /// It was refused, so that there is nothing to undo.
    Refused,
    /// It was asked to undo whatever it did. There is no last time.
    Undoing(Question),
    /// It has undone whatever it did, and does nothing for this order any more.
    Undone,
}

impl Leg {
    /// How often it was asked for, to do or to undo its part.
    pub fn times(self) -> u32 {
        match self {
            Self::Asked(question) | Self::Undoing(question) => question.times,
            _ => 0,
        }
    }

    /// Whether nothing of it is left.
    pub fn is_clear(self) -> bool {
        matches!(self, Self::Refused | Self::Undone)
    }
}
