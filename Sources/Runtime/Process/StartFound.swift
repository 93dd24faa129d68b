import Controller
import Devices
import Glibc
import PagingFormats
import Primitives

/// What a start found where: the names and identities that a refusal tells to people. Every sentence says what was
/// found, what was expected, and what would be right; nothing was touched when it is said.
package struct StartFound: Sendable {
    struct Device: Sendable {
        var name: String
        var path: String
        var finding: DeviceFinding
    }

    var words = LogWords()
    var witness = "the witness"
    var memory = "the memory file"
    var memoryEpoch: UInt32 = 0
    var memoryLineage: UInt64 = 0
    var devices: [Device] = []

    /// Nothing is known: a reactor without a description.
    package init() {}

    init(
        _ description: ArrayDescription, _ memory: borrowing MemoryFile, _ start: StartConditions,
        _ options: ProcessOptions
    ) {
        words = LogWords(description)
        witness = "witness \(options.resolve(description.pair.witnessFile))"
        self.memory = "memory file \(memory.path)"
        let superblock = memory.isFresh || memory.isLost ? nil : memory.superblock
        memoryEpoch = superblock?.epoch ?? 0
        memoryLineage = superblock?.lineage ?? 0
        devices = zip(description.devices, start.devices).map { device, finding in
            let path =
                switch device.kind {
                case .file(let path), .block(let path): options.resolve(path)
                case .memory: "in memory"
                }
            return Device(name: device.name, path: path, finding: finding)
        }
    }

    /// Why the start is refused.
    func sentence(_ reason: RefusalReason, _ settings: PlantSettings, _ record: WitnessRecord?) -> String {
        let own = LogWords.hex(settings.pairID)
        let text =
            switch reason {
            case .witnessDamaged: damaged(record)
            case .foreignPair:
                "\(witness) has the record of pair \(record.map { LogWords.hex($0.pairID) } ?? "unknown"), and this is "
                    + "pair \(own); name this pair's own file with pair.witness, or start the array that it belongs to"
            case .epochWentBack: wentBack(record)
            case .lineageUnknown: otherLineage(record)
            case .featureLevelUnknown: unknownLevel(record)
            case .memoryLost:
                "no memory that the record of \(witness) names is left, and acknowledged writes were not yet on the "
                    + "devices; what they were is lost: bring the memory files back, or order a forced start"
            case .foreignDevice: foreign(own)
            case .otherDevice: other()
            case .deviceReplaced:
                "\(list { $0 == .blank }) has no label, and the record says that this pair has data on it: it was "
                    + "replaced or emptied; put the device back that belongs there"
            case .deviceOccupied:
                "\(list { $0 == .other }) begins with something that is neither a label nor zeros: it may be in use by "
                    + "something else, or damaged; name another one, or zero its first 8 KiB if nothing there counts"
            }
        // That a memory is lost is found after the waits of a start, in which this life put its name into its own.
        return "start refused\(reason == .memoryLost ? "" : ", nothing was touched"): \(text)"
    }

    // MARK: Where it was found

    private func list(_ isMeant: (DeviceFinding) -> Bool) -> String {
        let names = devices.filter { isMeant($0.finding) }.map { "device \($0.name) (\($0.path))" }
        return names.isEmpty ? "a device" : names.joined(separator: ", ")
    }

    private func damaged(_ record: WitnessRecord?) -> String {
        let knowing = devices.filter { ($0.finding.label?.epoch ?? 0) > 0 }.map { device in
            "device \(device.name) (\(device.path)) knows epoch \(device.finding.label?.epoch ?? 0)"
        }
        let known = (memoryEpoch > 0 ? ["\(memory) knows epoch \(memoryEpoch)"] : []) + knowing
        let what = "\(witness) has no record that can be read"
        return known.isEmpty
            ? "both slots of \(witness) are damaged; bring the file back"
            : "\(what), although \(known.joined(separator: ", ")): the record was lost; bring the file back"
    }

    private func wentBack(_ record: WitnessRecord?) -> String {
        let epoch = record?.epoch ?? 0
        var known = memoryEpoch > epoch ? ["\(memory) knows epoch \(memoryEpoch)"] : []
        for device in devices {
            guard let label = device.finding.label, label.epoch > epoch else { continue }
            known.append("device \(device.name) (\(device.path)) knows epoch \(label.epoch)")
        }
        return "\(witness) is at epoch \(epoch), but \(known.joined(separator: ", ")): the witness is an old copy; "
            + "bring the newest one back"
    }

    private func otherLineage(_ record: WitnessRecord?) -> String {
        let lineage = record?.lineage ?? 0
        var known: [String] = []
        if memoryLineage != 0 && memoryLineage != lineage {
            known.append("\(memory) is of lineage \(LogWords.hex(memoryLineage))")
        }
        for device in devices {
            guard let label = device.finding.label, label.lineage != 0, label.lineage != lineage else { continue }
            known.append("device \(device.name) (\(device.path)) is of lineage \(LogWords.hex(label.lineage))")
        }
        return "\(witness) is of lineage \(LogWords.hex(lineage)), but \(known.joined(separator: ", ")): a "
            + "forced start happened without it"
    }

    private func unknownLevel(_ record: WitnessRecord?) -> String {
        let levels = devices.compactMap(\.finding.label?.featureLevel) + [record?.featureLevel ?? 0]
        return "\(witness) or a device is of feature level \(levels.max() ?? 0), and this release knows 1: start a "
            + "newer release"
    }

    private func foreign(_ own: String) -> String {
        var found: [String] = []
        for device in devices {
            guard let label = device.finding.label, LogWords.hex(label.pairID) != own else { continue }
            found.append(
                "device \(device.name) (\(device.path)) carries the label of device \(label.name) of pair "
                    + LogWords.hex(label.pairID))
        }
        return "\(found.joined(separator: ", ")), and this is pair \(own); name this pair's own device, start "
            + "the array that it belongs to, or zero its first 8 KiB if nothing on it counts"
    }

    private func other() -> String {
        var found: [String] = []
        for device in devices {
            guard let label = device.finding.label, label.name != DeviceLabel.cut(device.name) else { continue }
            found.append("device \(device.name) (\(device.path)) carries the label of device \(label.name)")
        }
        return "\(found.joined(separator: ", ")) of this pair: names and paths were exchanged in `devices`; put them "
            + "right"
    }
}

extension DeviceSet {
    /// What stands where the label of each device belongs.
    func labels(_ description: ArrayDescription) throws(DeviceError) -> [DeviceFinding] {
        let room = UnsafeMutableRawPointer.allocate(byteCount: DeviceLabel.areaBytes, alignment: 4096)
        defer { room.deallocate() }
        var findings: [DeviceFinding] = []
        for (index, device) in description.devices.enumerated() {
            try readStart(index, name: device.name, bytes: DeviceLabel.areaBytes, into: room)
            findings.append(DeviceFinding(decoding: room, isVolatile: device.kind == .memory))
        }
        return findings
    }
}
