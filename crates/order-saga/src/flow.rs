//! What the audit knows of the saga: the marks that records leave on an order, and which of them end it.

use std::collections::BTreeMap;

use events::saga::{
    EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, OrderCompleted, OrderCreated, OrderFailed,
    OrderRefused, OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested,
    ReleaseRequested, ReservationRequested,
};
use events::{Event, Topic};
use messaging::audit::{Flow, Mark, Marks, Stage};
use messaging::{Outgoing, Record};

const CREATED: Mark = Mark::new(0);
const REFUSED: Mark = Mark::new(1);
const VALIDATED: Mark = Mark::new(2);
const CHARGE_ASKED: Mark = Mark::new(3);
const CHARGED: Mark = Mark::new(4);
const DECLINED: Mark = Mark::new(5);
const REFUND_ASKED: Mark = Mark::new(6);
const REFUNDED: Mark = Mark::new(7);
const RESERVATION_ASKED: Mark = Mark::new(8);
const RESERVED: Mark = Mark::new(9);
const REJECTED: Mark = Mark::new(10);
const RELEASE_ASKED: Mark = Mark::new(11);
const RELEASED: Mark = Mark::new(12);
const EMAIL_ASKED: Mark = Mark::new(13);
const COMPLETED: Mark = Mark::new(14);
const FAILED: Mark = Mark::new(15);
const TOLD: Mark = Mark::new(16);

/// Marks that exclude an order's completion.
const UNDOING: [Mark; 6] = [DECLINED, REFUND_ASKED, REFUNDED, REJECTED, RELEASE_ASKED, RELEASED];

/// The saga's flow. An order ends refused at once, or completed or failed: then both participants were asked and have answered,
/// whatever one did for a failed order is undone, and the customer was told.
#[derive(Clone, Copy, Debug, Default)]
pub struct SagaFlow;

impl Flow for SagaFlow {
    fn takes_in(&self, topic: Topic) -> bool {
        topic == OrderCreated::TOPIC
    }

    fn written(&self, record: &Record<'_>) -> Option<Mark> {
        fn of<E: Event>(record: &Record<'_>, mark: Mark) -> Option<Mark> {
            record.decode::<E>().ok().map(|_| mark)
        }
        match record.topic {
            OrderCreated::TOPIC => of::<OrderCreated>(record, CREATED),
            OrderValidated::TOPIC => of::<OrderValidated>(record, VALIDATED),
            PaymentRequested::TOPIC => {
                of::<PaymentRequested>(record, CHARGE_ASKED).or_else(|| of::<RefundRequested>(record, REFUND_ASKED))
            }
            PaymentCompleted::TOPIC => of::<PaymentCompleted>(record, CHARGED),
            PaymentFailed::TOPIC => of::<PaymentFailed>(record, DECLINED),
            PaymentRefunded::TOPIC => of::<PaymentRefunded>(record, REFUNDED),
            ReservationRequested::TOPIC => of::<ReservationRequested>(record, RESERVATION_ASKED)
                .or_else(|| of::<ReleaseRequested>(record, RELEASE_ASKED)),
            InventoryReserved::TOPIC => of::<InventoryReserved>(record, RESERVED),
            InventoryRejected::TOPIC => of::<InventoryRejected>(record, REJECTED),
            InventoryReleased::TOPIC => of::<InventoryReleased>(record, RELEASED),
            EmailRequested::TOPIC => of::<EmailRequested>(record, EMAIL_ASKED),
            OrderCompleted::TOPIC => of::<OrderCompleted>(record, COMPLETED),
            OrderFailed::TOPIC => of::<OrderFailed>(record, FAILED).or_else(|| of::<OrderRefused>(record, REFUSED)),
            _ => None,
        }
    }

    /// Most topics say all by their name; of the others the status counts, which canonical bytes hold once.
    fn encoded(&self, Outgoing { topic, value, .. }: &Outgoing) -> Option<Mark> {
        let says = |status: &str| str::from_utf8(value).is_ok_and(|value| value.contains(status));
        Some(match *topic {
            OrderCreated::TOPIC => CREATED,
            OrderValidated::TOPIC => VALIDATED,
            PaymentRequested::TOPIC if says(r#""status":"refund_requested""#) => REFUND_ASKED,
            PaymentRequested::TOPIC => CHARGE_ASKED,
            PaymentCompleted::TOPIC => CHARGED,
            PaymentFailed::TOPIC => DECLINED,
            PaymentRefunded::TOPIC => REFUNDED,
            ReservationRequested::TOPIC if says(r#""status":"release_requested""#) => RELEASE_ASKED,
            ReservationRequested::TOPIC => RESERVATION_ASKED,
            InventoryReserved::TOPIC => RESERVED,
            InventoryRejected::TOPIC => REJECTED,
            InventoryReleased::TOPIC => RELEASED,
            EmailRequested::TOPIC => EMAIL_ASKED,
            OrderCompleted::TOPIC => COMPLETED,
            OrderFailed::TOPIC if says(r#""status":"refused""#) => REFUSED,
            OrderFailed::TOPIC => FAILED,
            _ => return None,
        })
    }

    fn handled(&self, service: &str, topic: Topic) -> Option<Mark> {
        (service == crate::notification_service::NAME && topic == EmailRequested::TOPIC).then_some(TOLD)
    }

    fn stage(&self, marks: Marks) -> Stage {
        let ends = [REFUSED, COMPLETED, FAILED].into_iter().filter(|&end| marks.has(end)).count();
        let contradicts = ends > 1
            || marks.has_all(&[REFUSED, VALIDATED])
            || marks.has(COMPLETED) && UNDOING.into_iter().any(|mark| marks.has(mark));
        if contradicts {
            return Stage::Contradictory;
        }
        // What was asked for was answered, and what was granted and is not to stay is undone.
        let is_undone = |asked, granted, undone| (!marks.has(asked) && !marks.has(granted)) || marks.has(undone);
        let began = [CREATED, VALIDATED, CHARGE_ASKED, RESERVATION_ASKED, EMAIL_ASKED, TOLD];
        let is_over = marks.has_all(&began)
            && (marks.has_all(&[COMPLETED, CHARGED, RESERVED])
                || marks.has(FAILED)
                    && (marks.has(CHARGED) || marks.has(DECLINED))
                    && (marks.has(RESERVED) || marks.has(REJECTED))
                    && is_undone(REFUND_ASKED, CHARGED, REFUNDED)
                    && is_undone(RELEASE_ASKED, RESERVED, RELEASED));
        if is_over || marks.has_all(&[CREATED, REFUSED]) { Stage::Ended } else { Stage::Open }
    }

    /// An order has as many records about its stock as it has products. Of one that failed a participant was perhaps given up, which was
    /// then asked to undo what it had not done, and declines what it is asked for late.
    fn may_follow(&self, marks: Marks, mark: Mark) -> bool {
        let is_of_stock = [RESERVED, RELEASED].contains(&mark);
        marks.has(mark) && is_of_stock
            || marks.has(FAILED) && (UNDOING.contains(&mark) || [CHARGED, RESERVED].contains(&mark))
    }

    fn describe(&self, mark: Mark) -> &'static str {
        match mark {
            CREATED => "orders.created",
            REFUSED => "orders.failed (refused)",
            VALIDATED => "orders.validated",
            CHARGE_ASKED => "payments.requested",
            CHARGED => "payments.completed",
            DECLINED => "payments.failed",
            REFUND_ASKED => "payments.requested (refund)",
            REFUNDED => "payments.refunded",
            RESERVATION_ASKED => "inventory.requested",
            RESERVED => "inventory.reserved",
            REJECTED => "inventory.rejected",
            RELEASE_ASKED => "inventory.requested (release)",
            RELEASED => "inventory.released",
            EMAIL_ASKED => "notifications.email",
            COMPLETED => "orders.completed",
            FAILED => "orders.failed",
            _ => "the customer told",
        }
    }
}

/// What became of the orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Orders that were paid and reserved.
    pub completed: u64,
    /// Orders that were undone.
    pub failed: u64,
    /// Of those, orders whose payment was declined.
    pub payment_declined: u64,
    /// Of those, orders with something out of stock.
    pub out_of_stock: u64,
    /// Orders that were refused before anything was done.
    pub refused: u64,
    /// Orders that were charged and paid back.
    pub refunded: u64,
    /// Orders whose pieces were reserved and released.
    pub released: u64,
}

impl Outcomes {
    /// The outcomes in an audit's tally.
    pub fn of(tally: &BTreeMap<Marks, u64>) -> Self {
        let with = |marks: &[Mark]| tally.iter().filter(|(seen, _)| seen.has_all(marks)).map(|(_, count)| count).sum();
        Self {
            completed: with(&[COMPLETED]),
            failed: with(&[FAILED]),
            payment_declined: with(&[FAILED, DECLINED]),
            out_of_stock: with(&[FAILED, REJECTED]),
            refused: with(&[REFUSED]),
            refunded: with(&[CHARGED, REFUNDED]),
            released: with(&[RESERVED, RELEASED]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(marks: &[Mark]) -> Stage {
        SagaFlow.stage(marks.iter().fold(Marks::NONE, |all, &mark| all.with(mark)))
    }

    const BEGUN: [Mark; 6] = [CREATED, VALIDATED, CHARGE_ASKED, RESERVATION_ASKED, EMAIL_ASKED, TOLD];

    #[test]
    fn an_order_ends_only_with_every_record_it_must_have() {
        let ends: [&[Mark]; 6] = [
            &[COMPLETED, CHARGED, RESERVED],
            &[FAILED, DECLINED, REJECTED],
            &[FAILED, DECLINED, RESERVED, RELEASE_ASKED, RELEASED],
            &[FAILED, CHARGED, REJECTED, REFUND_ASKED, REFUNDED],
            // given up, and asked to undo: only then were they asked to do it, and would not
            &[FAILED, DECLINED, REFUND_ASKED, REFUNDED, RESERVED, RELEASE_ASKED, RELEASED],
            &[FAILED, CHARGED, REFUND_ASKED, REFUNDED, REJECTED, RELEASE_ASKED, RELEASED],
        ];
        for end in ends {
            let all: Vec<Mark> = BEGUN.iter().chain(end).copied().collect();
            assert_eq!(stage(&all), Stage::Ended, "{end:?}");
            for missing in 0..all.len() {
                let mut rest = all.clone();
                let missing = rest.remove(missing);
                // Whoever was asked to undo needlessly has left no other trace of it.
                let is_traceless = [REFUND_ASKED, RELEASE_ASKED].contains(&missing)
                    || (stage(&rest) == Stage::Ended && missing != FAILED);
                assert!(stage(&rest) == Stage::Open || is_traceless, "without {}", SagaFlow.describe(missing));
            }
        }
        assert_eq!((stage(&[CREATED]), stage(&[CREATED, REFUSED])), (Stage::Open, Stage::Ended));
    }

    #[test]
    fn ends_that_exclude_each_other_are_seen() {
        for marks in [
            &[COMPLETED, FAILED][..],
            &[REFUSED, FAILED],
            &[REFUSED, VALIDATED],
            &[COMPLETED, REFUNDED],
            &[COMPLETED, RELEASED],
            &[COMPLETED, DECLINED],
        ] {
            assert_eq!(stage(marks), Stage::Contradictory, "{marks:?}");
        }
    }

    #[test]
    fn behind_the_end_only_what_an_order_may_have_several_times_or_late_follows() {
        let marks = |list: &[Mark]| list.iter().fold(Marks::NONE, |all, &mark| all.with(mark));
        let completed = marks(&[COMPLETED, CHARGED, RESERVED]);
        assert!(SagaFlow.may_follow(completed, RESERVED));
        for mark in [RELEASED, REFUNDED, FAILED, COMPLETED, CHARGED] {
            assert!(!SagaFlow.may_follow(completed, mark), "{}", SagaFlow.describe(mark));
        }
        let failed = marks(&[FAILED, DECLINED, REJECTED]);
        for mark in [REFUNDED, RELEASE_ASKED, CHARGED, RESERVED] {
            assert!(SagaFlow.may_follow(failed, mark), "{}", SagaFlow.describe(mark));
        }
        assert!(!SagaFlow.may_follow(failed, COMPLETED) && !SagaFlow.may_follow(failed, EMAIL_ASKED));
    }

    #[test]
    fn a_charge_that_follows_the_end_of_a_failed_order_opens_it_until_it_is_paid_back() {
        let failed: Vec<Mark> = BEGUN.iter().chain(&[FAILED, DECLINED, REJECTED]).copied().collect();
        assert_eq!(stage(&failed), Stage::Ended);
        assert_eq!(stage(&[&failed[..], &[CHARGED]].concat()), Stage::Open);
        assert_eq!(stage(&[&failed[..], &[CHARGED, REFUND_ASKED, REFUNDED]].concat()), Stage::Ended);
    }

    #[test]
    fn only_the_service_that_writes_nothing_is_proven_by_what_it_handled() {
        assert_eq!(SagaFlow.handled("payment_service", PaymentRequested::TOPIC), None);
        assert_eq!(SagaFlow.handled("notification_service", EmailRequested::TOPIC), Some(TOLD));
    }
}
