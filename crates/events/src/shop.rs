//! The events of the shop.
//!
//! Amounts are in the shop's one currency. An event's time derives from the event that caused it; the first from the
//! base time of the run.

use std::ops::RangeInclusive;

use crate::wire::{Fields, Writer};
use crate::{Cents, DecodeError, Event, OrderId, Timestamp, Topic};

/// Amounts of an order: one cent to the highest amount.
const AMOUNT: RangeInclusive<Cents> = Cents::new(1)..=Cents::MAX;
/// Price of one piece, up to 100,000.00: with the limits below a total stays within [`Cents::MAX`].
const PRICE: RangeInclusive<Cents> = Cents::new(1)..=Cents::new(10_000_000);
const QUANTITY: RangeInclusive<u32> = 1..=1_000;
const ITEMS: RangeInclusive<usize> = 1..=100;

/// A customer placed an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPlaced {
    /// The order, and from here on the correlation id.
    pub order_id: OrderId,
    /// When it was placed.
    pub timestamp: Timestamp,
    /// Who placed it: an identifier such as `CUST-00042`.
    pub customer_id: String,
    /// What was ordered: 1 to 100 items.
    pub items: Vec<Item>,
}

/// A product and how many of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The product: an identifier such as `SKU-00017`.
    pub product_id: String,
    /// Pieces, 1 to 1,000.
    pub quantity: u32,
    /// Price of one piece, 0.01 to 100,000.00.
    pub price: Cents,
}

impl OrderPlaced {
    /// What the customer pays: the sum over the items. The wire states it too, and a reader refuses one that differs.
    pub fn total(&self) -> Cents {
        self.items.iter().map(|item| item.price * item.quantity).sum()
    }
}

impl Event for OrderPlaced {
    const EVENT_TYPE: &'static str = "order_placed";
    const TOPIC: Topic = Topic::new("order_placed");

    fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    fn encode(&self) -> Vec<u8> {
        head::<Self>(&self.order_id, self.timestamp)
            .text("customer_id", &self.customer_id)
            .list("items", &self.items, |writer, item| {
                writer
                    .text("product_id", &item.product_id)
                    .number("quantity", item.quantity)
                    .number("price", item.price)
            })
            .number("total", self.total())
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        let order = Self {
            order_id: fields.order_id()?,
            timestamp: fields.timestamp("timestamp")?,
            customer_id: fields.identifier("customer_id")?,
            items: fields.list("items", ITEMS, |item| {
                Ok(Item {
                    product_id: item.identifier("product_id")?,
                    quantity: item.integer("quantity", QUANTITY)?,
                    price: item.cents("price", PRICE)?,
                })
            })?,
        };
        let stated = fields.cents("total", AMOUNT)?;
        if stated != order.total() {
            return Err(DecodeError::new("total", stated, format_args!("{}, the sum of the items", order.total())));
        }
        Ok(order)
    }
}

/// The payment of an order succeeded or was declined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentResult {
    /// The order.
    pub order_id: OrderId,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// How it went.
    pub status: PaymentStatus,
    /// What was to be paid.
    pub amount: Cents,
}

/// How a payment went. A declined card is a result: asking again would not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// The customer paid.
    Success,
    /// The payment was declined.
    Failed,
}

impl PaymentStatus {
    const WORDS: [(&str, Self); 2] = [("success", Self::Success), ("failed", Self::Failed)];
}

impl Event for PaymentResult {
    const EVENT_TYPE: &'static str = "payment_result";
    const TOPIC: Topic = Topic::new("payment_result");

    fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    fn encode(&self) -> Vec<u8> {
        head::<Self>(&self.order_id, self.timestamp)
            .one_of("status", &PaymentStatus::WORDS, self.status)
            .number("amount", self.amount)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            timestamp: fields.timestamp("timestamp")?,
            status: fields.one_of("status", &PaymentStatus::WORDS)?,
            amount: fields.cents("amount", AMOUNT)?,
        })
    }
}

/// The stock was checked: everything is available, or something is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryResult {
    /// The order.
    pub order_id: OrderId,
    /// When it was checked.
    pub timestamp: Timestamp,
    /// What the check found.
    pub status: StockStatus,
}

/// What a check of the stock found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockStatus {
    /// All items are there.
    Available,
    /// At least one is not.
    Short,
}

impl StockStatus {
    const WORDS: [(&str, Self); 2] = [("available", Self::Available), ("short", Self::Short)];
}

impl Event for InventoryResult {
    const EVENT_TYPE: &'static str = "inventory_result";
    const TOPIC: Topic = Topic::new("inventory_result");

    fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    fn encode(&self) -> Vec<u8> {
        head::<Self>(&self.order_id, self.timestamp).one_of("status", &StockStatus::WORDS, self.status).finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            timestamp: fields.timestamp("timestamp")?,
            status: fields.one_of("status", &StockStatus::WORDS)?,
        })
    }
}

/// A paid order left the house. One of the two ends of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderShipped {
    /// The order.
    pub order_id: OrderId,
    /// When it left.
    pub timestamp: Timestamp,
    /// The parcel: an identifier such as `TRK-3F9A0C55D1E2B764`.
    pub tracking_id: String,
}

impl Event for OrderShipped {
    const EVENT_TYPE: &'static str = "order_shipped";
    const TOPIC: Topic = Topic::new("order_shipped");

    fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    fn encode(&self) -> Vec<u8> {
        head::<Self>(&self.order_id, self.timestamp).text("tracking_id", &self.tracking_id).finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            timestamp: fields.timestamp("timestamp")?,
            tracking_id: fields.identifier("tracking_id")?,
        })
    }
}

/// Something the customer is to be told that no other topic says. One of the two ends of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The order.
    pub order_id: OrderId,
    /// When it was asked for.
    pub timestamp: Timestamp,
    /// What it is about.
    pub about: NotificationAbout,
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationAbout {
    /// The payment was declined, so nothing will be shipped.
    PaymentDeclined,
}

impl NotificationAbout {
    const WORDS: [(&str, Self); 1] = [("payment_declined", Self::PaymentDeclined)];
}

impl Event for Notification {
    const EVENT_TYPE: &'static str = "notification";
    const TOPIC: Topic = Topic::new("notifications");

    fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    fn encode(&self) -> Vec<u8> {
        head::<Self>(&self.order_id, self.timestamp).one_of("about", &NotificationAbout::WORDS, self.about).finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            timestamp: fields.timestamp("timestamp")?,
            about: fields.one_of("about", &NotificationAbout::WORDS)?,
        })
    }
}

/// The fields that every event begins with.
fn head<E: Event>(order_id: &OrderId, timestamp: Timestamp) -> Writer {
    Writer::new()
        .text("order_id", order_id.as_str())
        .text("event_type", E::EVENT_TYPE)
        .timestamp("timestamp", timestamp)
}
