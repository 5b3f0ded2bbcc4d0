mod order;

pub(crate) use order::RecordOrder;
