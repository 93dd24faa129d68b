import BlockModel
import Configuration
import Controller
import Foundation
import Primitives

/// The text of a configuration: an array that holds together, or complaints with places in the text. Nothing of the
/// machine is looked at.
enum ConfigurationTarget {
    private static let nobody = Configuration.Surroundings(
        isRoot: false, home: "/users/nobody", stateHome: nil, workingFolder: "/place", deviceSize: { _ in nil },
        realPath: { $0 })

    static func run(_ bytes: UnsafeRawBufferPointer, _ oracle: Oracle) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        do {
            let found = try Configuration.parse(text, file: "fuzz.yaml", surroundings: nobody)
            check(found.description, oracle)
        } catch {
            // YAML 1.1 breaks lines at more than the line feed.
            let breaks: Set<UInt32> = [10, 13, 0x85, 0x2028, 0x2029]
            let lines = text.unicodeScalars.count { breaks.contains($0.value) } + 1
            oracle.expect(!error.diagnostics.isEmpty, "refused without a word")
            for complaint in error.diagnostics {
                oracle.expect(
                    complaint.line >= 1 && complaint.column >= 1 && complaint.line <= lines,
                    "line \(complaint.line), column \(complaint.column) of \(lines) lines")
                oracle.expect(!complaint.message.isEmpty, "a complaint without words")
            }
        }
    }

    /// What every description has, whatever the text was.
    private static func check(_ array: ArrayDescription, _ oracle: Oracle) {
        oracle.expect(!array.name.isEmpty, "an array without a name")
        oracle.expect((1...2).contains(array.controllers.count), "\(array.controllers.count) controllers")
        oracle.expect(!array.targets.isEmpty, "an array without a target")
        oracle.expect(Set(array.units.map(\.lun)).count == array.units.count, "two units with one LUN")
        oracle.expect(array.units.contains { $0.lun == 0 }, "an array without LUN 0")
        for (index, unit) in array.units.enumerated() {
            let device = Int(unit.map.device.raw)
            oracle.expect(unit.blockLength == 512 || unit.blockLength == 4096, "blocks of \(unit.blockLength)")
            oracle.expect(unit.map.sectors >= UInt64(unit.blockLength / 512), "unit \(index) without a block")
            guard device < array.devices.count else { return oracle.expect(false, "unit \(index) has no device") }
            let (bytes, overflow) = unit.map.sectors.multipliedReportingOverflow(by: 512)
            let (end, beyond) = unit.map.dataOffset.addingReportingOverflow(bytes)
            oracle.expect(
                !overflow && !beyond && end <= array.devices[device].dataBytes + unit.map.dataOffset,
                "unit \(index) is larger than its device")
            for other in array.units[..<index] where other.map.device == unit.map.device {
                let theirEnd = other.map.dataOffset + other.map.sectors * 512
                oracle.expect(
                    unit.map.dataOffset >= theirEnd || end <= other.map.dataOffset, "two units on the same sectors")
            }
        }
    }
}
