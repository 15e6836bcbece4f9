use std::sync::Arc;

use events::Event;
use events::food::FoodOrder;
use messaging::store::OrderTable;
use messaging::{Code, Services, ServicesError};
use topology::{System, Topology};

use crate::food_consumer::{self, FoodConsumer};
use crate::food_producer;

const FOOD: &[Code] = &[
    Code {
        name: food_producer::NAME,
        reads: &[],
        writes: &[FoodOrder::TOPIC, food_producer::NUMBERS],
        settings: &[food_producer::ORDER_RATE],
    },
    Code { name: food_consumer::NAME, reads: &[FoodOrder::TOPIC], writes: &[], settings: &[] },
];

/// Food orders as `topology` declares them, stored in this table.
///
/// # Errors
/// Where it declares other services, topics or settings than the code has.
pub fn services(topology: &Topology, table: &Arc<dyn OrderTable>) -> Result<Services, ServicesError> {
    Services::of_steps(topology, System::FoodOrders, FOOD, |code| match code.name {
        food_consumer::NAME => {
            let consumer = FoodConsumer { table: Arc::clone(table) };
            Ok(Arc::new(move || Box::new(consumer.clone())))
        }
        other => Err(ServicesError::no_handler(System::FoodOrders, other, FOOD)),
    })
}

#[cfg(test)]
mod tests {
    use messaging::store::MemoryOrders;

    use super::*;

    fn built_in() -> Topology {
        Topology::built_in().unwrap()
    }

    #[test]
    fn the_consumers_are_one_group_of_a_name_of_its_own_which_skips_what_is_invalid() {
        let table: Arc<dyn OrderTable> = Arc::new(MemoryOrders::default());
        let services = services(&built_in(), &table).unwrap();
        let groups: Vec<_> = services.iter().map(|(group, _)| (group.group.as_str(), group.dead_letter)).collect();
        assert_eq!(groups, [("order-processors", None)]);
    }

    #[test]
    fn a_topology_with_other_services_is_refused() {
        let text = include_str!("../../../topology.json").replace("\"food_consumer\"", "\"food_eater\"");
        let table: Arc<dyn OrderTable> = Arc::new(MemoryOrders::default());
        let refused = services(&Topology::parse("t.json", &text).unwrap(), &table).err().unwrap();
        let expected =
            "services.food_consumer: missing in the system `food_orders`; without it no order ends".to_owned();
        assert_eq!(refused.to_string(), expected);
    }
}
