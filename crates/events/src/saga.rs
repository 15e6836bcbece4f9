//! The events of the saga: orders, payments and stock, in JSON as the documents of that system fix it (H07 to H09).
//!
//! No field of that JSON names the kind of event: the topic and the status do. A [`StatedOrder`] is what a client wrote, whatever it is;
//! an [`Order`] is one that was found valid, and everything later speaks of that.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::wire::{Fields, Writer};
use crate::{Cents, DecodeError, Event, EventId, OrderId, SignedCents, Timestamp, Topic};

/// What is paid for an order, or for one piece of it.
const AMOUNT: RangeInclusive<Cents> = Cents::new(1)..=Cents::MAX;
const QUANTITY: RangeInclusive<u32> = 1..=Order::MAX_QUANTITY;
const ITEMS: RangeInclusive<usize> = 1..=Order::MAX_ITEMS;

/// An order that was found valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order, and the correlation id.
    pub order_id: OrderId,
    /// Who placed it: an identifier such as `CUST-00042`.
    pub customer_id: String,
    /// What was ordered: 1 to [`Order::MAX_ITEMS`] items, each of another product.
    pub items: Vec<Item>,
    /// When what the event tells happened.
    pub timestamp: Timestamp,
}

/// A product and how many of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The product: an identifier such as `SKU-00017`.
    pub product_id: String,
    /// Pieces, 1 to [`Order::MAX_QUANTITY`].
    pub quantity: u32,
    /// Price of one piece, 0.01 or more.
    pub price: Cents,
}

impl Order {
    /// Items of an order at most.
    pub const MAX_ITEMS: usize = 1_000;
    /// Pieces of an item at most.
    pub const MAX_QUANTITY: u32 = 1_000;

    /// What the customer pays: the sum over the items. The wire states it too, and a reader refuses one that differs.
    pub fn total(&self) -> Cents {
        self.items.iter().map(|item| item.price * item.quantity).sum()
    }

    fn encode(&self, status: &str) -> Vec<u8> {
        Writer::new()
            .text("order_id", self.order_id.as_str())
            .text("customer_id", &self.customer_id)
            .list("items", &self.items, |writer, item| {
                writer
                    .text("product_id", &item.product_id)
                    .number("quantity", item.quantity)
                    .number("price", item.price)
            })
            .number("total_amount", self.total())
            .timestamp("timestamp", self.timestamp)
            .text("status", status)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        let order = Self {
            order_id: fields.order_id()?,
            customer_id: fields.identifier("customer_id")?,
            items: fields.list("items", ITEMS, |item| {
                Ok(Item {
                    product_id: item.identifier("product_id")?,
                    quantity: item.integer("quantity", QUANTITY)?,
                    price: item.cents("price", AMOUNT)?,
                })
            })?,
            timestamp: fields.timestamp("timestamp")?,
        };
        let mut seen = BTreeSet::new();
        for (index, Item { product_id, .. }) in order.items.iter().enumerate() {
            if !seen.insert(product_id) {
                return Err(DecodeError::new(&format!("items[{index}].product_id"), product_id, "each product once"));
            }
        }
        let stated = fields.cents("total_amount", AMOUNT)?;
        if stated != order.total() {
            let allowed = format_args!("{}, the sum of the items", order.total()).to_string();
            return Err(DecodeError::new("total_amount", stated, allowed));
        }
        Ok(order)
    }
}

/// An order as a client states it: it can be read, and may be impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedOrder {
    /// The order, and the correlation id.
    pub order_id: OrderId,
    /// Who placed it.
    pub customer_id: String,
    /// What was ordered, perhaps nothing.
    pub items: Vec<StatedItem>,
    /// What the client takes for the sum.
    pub total_amount: SignedCents,
    /// When it was placed, or refused.
    pub timestamp: Timestamp,
}

/// A product and how many of it, as a client states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedItem {
    /// The product.
    pub product_id: String,
    /// Pieces, of either sign.
    pub quantity: i64,
    /// Price of one piece, of either sign.
    pub price: SignedCents,
}

impl StatedOrder {
    /// More than an order may have, so that who orders too much is told so; more than these do not fit into a value.
    const ITEMS: RangeInclusive<usize> = 0..=2_000;

    fn encode(&self, status: &str) -> Vec<u8> {
        Writer::new()
            .text("order_id", self.order_id.as_str())
            .text("customer_id", &self.customer_id)
            .list("items", &self.items, |writer, item| {
                writer
                    .text("product_id", &item.product_id)
                    .number("quantity", item.quantity)
                    .number("price", item.price)
            })
            .number("total_amount", self.total_amount)
            .timestamp("timestamp", self.timestamp)
            .text("status", status)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            customer_id: fields.identifier("customer_id")?,
            items: fields.list("items", Self::ITEMS, |item| {
                Ok(StatedItem {
                    product_id: item.identifier("product_id")?,
                    quantity: item.signed("quantity")?,
                    price: item.signed_cents("price")?,
                })
            })?,
            total_amount: fields.signed_cents("total_amount")?,
            timestamp: fields.timestamp("timestamp")?,
        })
    }
}

impl From<&Order> for StatedOrder {
    fn from(order: &Order) -> Self {
        Self {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            items: order
                .items
                .iter()
                .map(|item| StatedItem {
                    product_id: item.product_id.clone(),
                    quantity: item.quantity.into(),
                    price: item.price.into(),
                })
                .collect(),
            total_amount: order.total().into(),
            timestamp: order.timestamp,
        }
    }
}

/// A payment: what is to be charged, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The order.
    pub order_id: OrderId,
    /// The payment, which its refund bears, too: an identifier such as `PAY-3F9A0C55D1E2B764`.
    pub payment_id: String,
    /// How much; nothing where a refund finds that nothing was charged.
    pub amount: Cents,
    /// How: an identifier such as `card`.
    pub payment_method: String,
    /// When what the event tells happened.
    pub timestamp: Timestamp,
}

impl Payment {
    fn encode(&self, status: &str) -> Vec<u8> {
        Writer::new()
            .text("order_id", self.order_id.as_str())
            .text("payment_id", &self.payment_id)
            .number("amount", self.amount)
            .text("payment_method", &self.payment_method)
            .text("status", status)
            .timestamp("timestamp", self.timestamp)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            payment_id: fields.identifier("payment_id")?,
            amount: fields.cents("amount", Cents::new(0)..=Cents::MAX)?,
            payment_method: fields.identifier("payment_method")?,
            timestamp: fields.timestamp("timestamp")?,
        })
    }
}

/// Pieces of one product, for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The product.
    pub product_id: String,
    /// Pieces: those that are reserved or released, or those that are wanted and not there.
    pub quantity_reserved: u32,
    /// The order.
    pub order_id: OrderId,
    /// When what the event tells happened.
    pub timestamp: Timestamp,
}

impl Stock {
    fn encode(&self) -> Vec<u8> {
        Writer::new()
            .text("product_id", &self.product_id)
            .number("quantity_reserved", self.quantity_reserved)
            .text("order_id", self.order_id.as_str())
            .timestamp("timestamp", self.timestamp)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            product_id: fields.identifier("product_id")?,
            quantity_reserved: fields.integer("quantity_reserved", 0..=Order::MAX_QUANTITY)?,
            order_id: fields.order_id()?,
            timestamp: fields.timestamp("timestamp")?,
        })
    }
}

/// An e-mail to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The order.
    pub order_id: OrderId,
    /// Who is told.
    pub customer_id: String,
    /// What.
    pub about: EmailAbout,
    /// When it was asked for.
    pub timestamp: Timestamp,
}

/// What an e-mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmailAbout {
    /// The order is paid and reserved.
    OrderConfirmed,
    /// The payment failed.
    PaymentFailed,
    /// Something is out of stock.
    OutOfStock,
}

impl EmailAbout {
    /// The word for each, in JSON.
    pub const WORDS: [(&str, Self); 3] = [
        ("order_confirmed", Self::OrderConfirmed),
        ("payment_failed", Self::PaymentFailed),
        ("out_of_stock", Self::OutOfStock),
    ];
}

impl std::fmt::Display for EmailAbout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::WORDS.iter().find(|(_, about)| about == self).map_or("", |(word, _)| word))
    }
}

impl Email {
    fn encode(&self) -> Vec<u8> {
        Writer::new()
            .text("order_id", self.order_id.as_str())
            .text("customer_id", &self.customer_id)
            .one_of("about", &EmailAbout::WORDS, self.about)
            .timestamp("timestamp", self.timestamp)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order_id: fields.order_id()?,
            customer_id: fields.identifier("customer_id")?,
            about: fields.one_of("about", &EmailAbout::WORDS)?,
            timestamp: fields.timestamp("timestamp")?,
        })
    }
}

/// An event that is a body on a topic, with a status where the body has one: it tells the events of one topic apart.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident($body:ident), $topic:literal $(, $status:literal)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub $body);

        impl Event for $name {
            const EVENT_TYPE: &'static str = concat!($topic $(, ":", $status)?);
            const TOPIC: Topic = Topic::new($topic);

            fn order_id(&self) -> &OrderId {
                &self.0.order_id
            }

            fn event_id(&self) -> EventId {
                EventId::of(&self.0.order_id, Self::EVENT_TYPE, self.0.subject(), 1)
            }

            fn encode(&self) -> Vec<u8> {
                self.0.encode($($status)?)
            }

            fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
                $(fields.expect("status", $status)?;)?
                $body::read(fields).map(Self)
            }

            fn decode(value: &[u8]) -> Result<Self, DecodeError> {
                Fields::read(value, Self::read)
            }
        }
    };
}

/// What of an order a body is about; nothing narrower than the order, unless it says so.
trait Subject {
    fn subject(&self) -> &str {
        ""
    }
}

impl Subject for Order {}
impl Subject for StatedOrder {}
impl Subject for Payment {}
impl Subject for Email {}

/// A product: an order of two has two events of a kind.
impl Subject for Stock {
    fn subject(&self) -> &str {
        &self.product_id
    }
}

event! {
    /// A client placed an order.
    OrderCreated(StatedOrder), "orders.created", "created"
}
event! {
    /// The order was found valid: its saga begins.
    OrderValidated(Order), "orders.validated", "validated"
}
event! {
    /// The order was paid, and what it needs is reserved. One of its two ends.
    OrderCompleted(Order), "orders.completed", "completed"
}
event! {
    /// Everything that was done for the order is undone. One of its two ends.
    OrderFailed(Order), "orders.failed", "failed"
}
event! {
    /// The order was refused before anything was done for it: that is its end.
    OrderRefused(StatedOrder), "orders.failed", "refused"
}
event! {
    /// The payment is to be charged.
    PaymentRequested(Payment), "payments.requested", "requested"
}
event! {
    /// Whatever was charged is to be paid back, and nothing is charged any more.
    RefundRequested(Payment), "payments.requested", "refund_requested"
}
event! {
    /// The payment was charged.
    PaymentCompleted(Payment), "payments.completed", "completed"
}
event! {
    /// The payment was declined.
    PaymentFailed(Payment), "payments.failed", "failed"
}
event! {
    /// Nothing is charged any more: what was is paid back.
    PaymentRefunded(Payment), "payments.refunded", "refunded"
}
event! {
    /// All items of the order are to be reserved, or none.
    ReservationRequested(Order), "inventory.requested", "requested"
}
event! {
    /// Whatever is reserved for the order is to be released, and nothing is reserved any more.
    ReleaseRequested(Order), "inventory.requested", "release_requested"
}
event! {
    /// So many pieces are reserved, as are the order's other items.
    InventoryReserved(Stock), "inventory.reserved"
}
event! {
    /// So many pieces are wanted and not there, so that nothing is reserved for the order.
    InventoryRejected(Stock), "inventory.rejected"
}
event! {
    /// So many pieces are in stock again; none where none was reserved.
    InventoryReleased(Stock), "inventory.released"
}

event! {
    /// The customer is told how the order ended.
    EmailRequested(Email), "notifications.email"
}
