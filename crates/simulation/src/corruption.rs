use std::fmt;

use crate::random::Random;

/// How a record's value was made unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corruption {
    Truncated,
    NotUtf8,
    Empty,
    Tombstone,
    OtherType,
}

impl Corruption {
    pub(crate) fn draw(random: &mut Random) -> Self {
        random.one_of([Self::Truncated, Self::NotUtf8, Self::Empty, Self::Tombstone, Self::OtherType])
    }

    /// Bytes that no reader of JSON objects takes, whatever the value was.
    pub(crate) fn of(self, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut value = value.unwrap_or_default();
        match self {
            Self::Truncated => {
                value.truncate(value.len() / 2);
                Some(value)
            }
            Self::NotUtf8 => {
                value.insert(value.len() / 2, 0xFF);
                Some(value)
            }
            Self::Empty => Some(Vec::new()),
            Self::Tombstone => None,
            Self::OtherType => Some(b"[42]".to_vec()),
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "its second half cut off",
            Self::NotUtf8 => "a byte 0xFF within",
            Self::Empty => "no bytes left",
            Self::Tombstone => "a tombstone in its place",
            Self::OtherType => "a JSON list in its place",
        })
    }
}

#[cfg(test)]
mod tests {
    use events::shop::{InventoryResult, StockStatus};
    use events::{Event, OrderId, Timestamp};

    use super::*;

    #[test]
    fn whatever_the_corruption_nobody_decodes_the_value() {
        let order_id = OrderId::parse("7f3a").unwrap();
        let value = InventoryResult { order_id, timestamp: Timestamp::BASE, status: StockStatus::Short }.encode();
        let mut random = Random::new(1);
        let mut told = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let how = Corruption::draw(&mut random);
            let corrupted = how.of(Some(value.clone()));
            assert!(corrupted.is_none_or(|value| InventoryResult::decode(&value).is_err()), "{how}");
            told.insert(how.to_string());
        }
        assert_eq!(told.len(), 5, "{told:?}");
    }
}
