import Testing

@Suite struct ControllerTests {}
