import BlockModel
import Primitives
import SCSIFormats

/// Names and numbers that INQUIRY reports: made once, read by slow commands only.
struct Identity {
    let vendor: [UInt8]
    let product: [UInt8]
    let revision: [UInt8]
    /// By unit ordinal.
    let serials: [[UInt8]]
    let designators: [InlineArray<16, UInt8>]
    /// iSCSI names by target.
    let targets: [[UInt8]]
    /// URL of the array's management; empty: there is none.
    let managementURL: [UInt8]

    init(_ configuration: DeviceServerConfiguration) {
        vendor = Array(configuration.vendor.utf8)
        product = Array(configuration.product.utf8)
        revision = Array(configuration.revision.utf8)
        serials = configuration.units.map { Array($0.serial.utf8) }
        designators = configuration.units.map(\.naa)
        targets = configuration.targets.map { Array($0.utf8) }
        managementURL = Array((configuration.managementURL ?? "").utf8)
    }

    /// The SCSI name of a controller's port in target `target` (RFC 7143 §4.4.1: name, `,t,0x`, portal group tag).
    func portName(_ target: Int, of controller: ControllerID) -> [UInt8] {
        let name = targets.indices.contains(target) ? targets[target] : []
        let digits: [UInt8] = [0x30, 0x30, 0x30, 0x30 + UInt8(truncatingIfNeeded: controller.targetPortGroup)]
        return name + Array(",t,0x".utf8) + digits
    }

    /// The target device's name.
    func deviceName(_ target: Int) -> [UInt8] { targets.indices.contains(target) ? targets[target] : [] }
}
