//! The one event of food orders: an order of food, as restaurants take it.
//!
//! What makes one invalid is told all at once ([`FoodOrder::check`]): whoever sent it mends it in one go.

use std::fmt;
use std::ops::RangeInclusive;

use crate::wire::{Fields, Writer};
use crate::{Cents, DecodeError, Event, OrderId, Timestamp, Topic};

/// What is paid for an order.
const TOTAL: RangeInclusive<Cents> = Cents::new(1)..=Cents::MAX;
/// Price of one piece: some are given away.
const PRICE: RangeInclusive<Cents> = Cents::new(0)..=Cents::MAX;
const QUANTITY: RangeInclusive<u32> = 1..=1_000;
const ITEMS: RangeInclusive<usize> = 1..=100;
/// Characters of a dish's name at most.
const NAME_CHARS: usize = 100;

/// A customer ordered food.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoodOrder {
    /// The order, such as `ORD-20260101-00042`, and the correlation id. Unique: by it an order that comes again is known.
    pub order_id: OrderId,
    /// Who ordered, and the record's key: an identifier such as `CUST-00042`.
    pub customer_id: String,
    /// What was ordered: 1 to 100 items.
    pub items: Vec<FoodItem>,
    /// What the customer pays, 0.01 or more. It is not held against the items: there are discounts and tips.
    pub total_amount: Cents,
    /// When it was ordered.
    pub created_at: Timestamp,
}

/// A dish and how many of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoodItem {
    /// Its name on the menu: 1 to 100 characters, no control characters.
    pub name: String,
    /// Pieces, 1 to 1,000.
    pub quantity: u32,
    /// Price of one piece.
    pub price: Cents,
}

impl FoodOrder {
    /// How far an order is that was just placed: the one word that `status` has on the wire.
    pub const STATUS: &'static str = "pending";

    /// Reads an order, or tells all that makes it none.
    ///
    /// # Errors
    /// Where the value is too large, no JSON or no object: that alone. Else each field that is missing or wrong.
    pub fn check(value: &[u8]) -> Result<Self, Faults> {
        Fields::read(value, |fields| Ok(Self::of(fields))).unwrap_or_else(|fault| Err(Faults(vec![fault])))
    }

    /// What was ordered, as a JSON array: what a table keeps in one column.
    pub fn items_json(&self) -> String {
        json_of(&self.items)
    }

    /// The items of a JSON array, as [`FoodOrder::items_json`] writes them; `None` where they are none. A database keeps what they say,
    /// and neither blanks nor the order of fields.
    pub fn items_of(json: &str) -> Option<String> {
        let object = format!("{{\"items\":{json}}}");
        let items =
            Fields::read(object.as_bytes(), |fields| fields.list("items", ITEMS, |item| Ok(FoodItem::of(item))));
        let items: Result<Vec<FoodItem>, Faults> = items.ok()?.into_iter().collect();
        items.ok().as_deref().map(json_of)
    }

    fn of(fields: Fields<'_, '_>) -> Result<Self, Faults> {
        let mut faults = Faults(Vec::new());
        let order_id = faults.note(fields.order_id());
        let customer_id = faults.note(fields.identifier("customer_id"));
        let items = faults.note(fields.list("items", ITEMS, |item| Ok(FoodItem::of(item))));
        let items = items.map(|items| {
            let checked = items.into_iter().enumerate();
            checked.filter_map(|(index, item)| faults.note_within("items", index, item)).collect()
        });
        let total_amount = faults.note(fields.cents("total_amount", TOTAL));
        faults.note(fields.expect("status", Self::STATUS));
        let created_at = faults.note(fields.timestamp("created_at"));
        match (order_id, customer_id, items, total_amount, created_at) {
            (Some(order_id), Some(customer_id), Some(items), Some(total_amount), Some(created_at))
                if faults.0.is_empty() =>
            {
                Ok(Self { order_id, customer_id, items, total_amount, created_at })
            }
            _ => Err(faults),
        }
    }
}

fn json_of(items: &[FoodItem]) -> String {
    let json = |item: &FoodItem| String::from_utf8_lossy(&item.write(Writer::new()).finish()).into_owned();
    format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(","))
}

impl FoodItem {
    fn write(&self, writer: Writer) -> Writer {
        writer.escaped("name", &self.name).number("quantity", self.quantity).number("price", self.price)
    }

    fn of(fields: Fields<'_, '_>) -> Result<Self, Faults> {
        let mut faults = Faults(Vec::new());
        let name = faults.note(fields.text("name", NAME_CHARS));
        let quantity = faults.note(fields.integer("quantity", QUANTITY));
        let price = faults.note(fields.cents("price", PRICE));
        match (name, quantity, price) {
            (Some(name), Some(quantity), Some(price)) => Ok(Self { name, quantity, price }),
            _ => Err(faults),
        }
    }
}

impl Event for FoodOrder {
    const EVENT_TYPE: &'static str = "food_order";
    const TOPIC: Topic = Topic::new("food-orders");

    fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    /// A customer's orders are in one partition, in their order.
    fn key(&self) -> &[u8] {
        self.customer_id.as_bytes()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::new()
            .text("order_id", self.order_id.as_str())
            .text("customer_id", &self.customer_id)
            .list("items", &self.items, |writer, item| item.write(writer))
            .number("total_amount", self.total_amount)
            .text("status", Self::STATUS)
            .timestamp("created_at", self.created_at)
            .finish()
    }

    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError> {
        Self::of(fields).map_err(Faults::into_first)
    }

    fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        Self::check(value).map_err(Faults::into_first)
    }
}

/// All that makes a value no order, in the order of its fields; one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<DecodeError>);

impl Faults {
    /// The faults.
    pub fn iter(&self) -> impl Iterator<Item = &DecodeError> {
        self.0.iter()
    }

    fn into_first(self) -> DecodeError {
        let none = || DecodeError::new("value", "no fault", "an order");
        self.0.into_iter().next().unwrap_or_else(none)
    }

    /// The value, or its fault noted.
    fn note<T>(&mut self, read: Result<T, DecodeError>) -> Option<T> {
        read.map_err(|fault| self.0.push(fault)).ok()
    }

    /// The element of a list, or its faults noted with its place.
    fn note_within<T>(&mut self, list: &str, index: usize, element: Result<T, Self>) -> Option<T> {
        element.map_err(|faults| self.0.extend(faults.0.into_iter().map(|fault| fault.within(list, index)))).ok()
    }
}

impl fmt::Display for Faults {
    /// The first ten of them, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        for (index, fault) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "; " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"order_id":"ORD-20260101-00042","customer_id":"CUST-00042","items":[{"name":"Margherita","quantity":2,"price":8.50},{"name":"Lemonade","quantity":1,"price":2.75}],"total_amount":19.75,"status":"pending","created_at":"2026-01-01T00:00:00.000Z"}"#;

    fn faults(value: &str) -> String {
        FoodOrder::check(value.as_bytes()).unwrap_err().to_string()
    }

    /// What is wrong with the good order once this stands in place of that.
    #[track_caller]
    fn refuses(from: &str, to: &str, expected: &str) {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(faults(&GOOD.replacen(from, to, 1)), expected, "{to}");
    }

    #[test]
    fn n03_a_valid_order_is_read_as_it_was_written() {
        let order = FoodOrder::check(GOOD.as_bytes()).unwrap();
        assert_eq!(order.items.len(), 2);
        assert_eq!((order.total_amount, order.key()), (Cents::new(1_975), &b"CUST-00042"[..]));
        assert_eq!(String::from_utf8(order.encode()).unwrap(), GOOD);
        assert!(GOOD.contains(&format!("\"items\":{},", order.items_json())), "{}", order.items_json());
        // What a kitchen adds for itself is passed over.
        let more = GOOD.replacen("\"status\"", r#""table":7,"status""#, 1);
        assert_eq!(FoodOrder::check(more.as_bytes()), Ok(order));
    }

    #[test]
    fn n03_a_missing_field_is_named() {
        for field in ["order_id", "customer_id", "items", "total_amount", "status", "created_at"] {
            let told = faults(&GOOD.replacen(field, "other", 1));
            assert!(told.starts_with(&format!("{field}: found nothing, allowed ")) && !told.contains(';'), "{told}");
        }
    }

    #[test]
    fn n03_amounts_and_quantities_of_nothing_or_less_are_refused() {
        let total = "allowed 0.01 to 10000000000.00, with two decimals";
        for bad in ["0", "-1", "0.001", "1e300", "\"19.75\"", "null"] {
            let found = if bad == "null" { "nothing" } else { bad };
            refuses("19.75", bad, &format!("total_amount: found {found}, {total}"));
        }
        let quantity = "allowed a whole number from 1 to 1000";
        for bad in ["0", "-2", "1001", "2.0", "\"2\""] {
            refuses(
                "\"quantity\":2",
                &format!("\"quantity\":{bad}"),
                &format!("items[0].quantity: found {bad}, {quantity}"),
            );
        }
        refuses("2.75", "-2.75", "items[1].price: found -2.75, allowed 0.00 to 10000000000.00, with two decimals");
    }

    #[test]
    fn all_faults_of_an_order_are_told_together() {
        let bad = GOOD.replacen("\"quantity\":2", "\"quantity\":0", 1).replacen("8.50", "-8.50", 1);
        let bad = bad.replacen("19.75", "0", 1).replacen("2026-01-01", "2026-02-30", 1).replacen("Lemonade", "", 1);
        assert_eq!(
            faults(&bad).split("; ").collect::<Vec<_>>(),
            [
                "items[0].quantity: found 0, allowed a whole number from 1 to 1000",
                "items[0].price: found -8.5, allowed 0.00 to 10000000000.00, with two decimals",
                r#"items[1].name: found "", allowed 1 to 100 characters, no control characters"#,
                "total_amount: found 0, allowed 0.01 to 10000000000.00, with two decimals",
                r#"created_at: found "2026-02-30T00:00:00.000Z", allowed RFC 3339, such as 2026-01-01T00:00:00.000Z"#,
            ]
        );
        let item = r#"{"quantity":0},"#;
        let many = GOOD.replacen("\"items\":[", &format!("\"items\":[{}", item.repeat(20)), 1);
        assert!(faults(&many).ends_with("; 50 more"), "{}", faults(&many));
    }

    #[test]
    fn a_name_may_be_anything_that_a_person_reads() {
        let order = |name: &str| GOOD.replacen("Margherita", name, 1);
        for name in [r#"Robert'); DROP TABLE orders;--"#, r"caf\u00e9 \u2615", r#"a \"b\" \\ c"#, "寿司"] {
            let order = FoodOrder::check(order(name).as_bytes()).unwrap();
            assert_eq!(FoodOrder::check(&order.encode()), Ok(order), "{name}");
        }
        let allowed = "allowed 1 to 100 characters, no control characters";
        let long = "x".repeat(101);
        for (name, found) in
            [(r"a\u0000b", r#""a\0b""#), (r"a\nb", r#""a\nb""#), (&long, &format!("\"{}…", "x".repeat(59)))]
        {
            assert_eq!(faults(&order(name)), format!("items[0].name: found {found}, {allowed}"));
        }
    }

    #[test]
    fn what_is_no_json_object_is_told_alone() {
        for (value, expected) in [
            (&b"[42]"[..], "value: found a list of 1, allowed a JSON object"),
            (b"\xff", "value: found invalid JSON (expected value at column 1), allowed a JSON object in UTF-8"),
            (
                b"{\"total_amount\":NaN}",
                "value: found invalid JSON (expected value at column 17), allowed a JSON object in UTF-8",
            ),
        ] {
            assert_eq!(FoodOrder::check(value).unwrap_err().to_string(), expected);
        }
        let large = vec![b' '; 2 << 20];
        let told = FoodOrder::check(&large).unwrap_err().to_string();
        assert_eq!(told, "value: found 2097152 bytes, allowed 65536 bytes at most");
    }
}
