import Configuration
import Controller
import Primitives

/// Connects `gemel serve` with the driver: makes the hosting of one controller.
///
/// - Parameters:
///   - description: the array, with its pair id.
///   - id: which of its controllers.
func makeHosting(
    _ description: ArrayDescription, controller id: ControllerID
) throws(StartError) -> any ControllerHosting {
    throw StartError(
        .software, "controller \(id.name) of \(description.name): the driver is not linked into this build")
}
