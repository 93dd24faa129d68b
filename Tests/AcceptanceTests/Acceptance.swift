import Testing

/// Real processes, real initiators: `gemel up` on free ports with its state in a temporary folder. One at a time,
/// because each pair takes memory and two processors.
@Suite(.serialized) struct Acceptance {}
