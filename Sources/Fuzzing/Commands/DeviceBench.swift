import BlockModel
import Primitives
import SAM
import SCSIFormats
import SCSITarget

/// A device server with three units and its memory: 512-byte blocks, 4096-byte blocks, and one that is read-only. Where
/// sense data are descriptors the first has protection information, of type 2 in a pair, else of type 1.
final class DeviceBench {
    static let units = 3
    var server: DeviceServer
    let memory: MemoryStandIn
    var now = Instant(nanoseconds: 1_000_000_000)

    /// - Parameter descriptorSense: D_SENSE of the Control mode page.
    init(_ oracle: Oracle, slots: Int, nexuses: Int, descriptorSense: Bool, controllers: Int = 2) {
        memory = MemoryStandIn(oracle, slots: slots, units: Self.units)
        let units = (0..<Self.units).map { index in
            var naa = InlineArray<16, UInt8>(repeating: UInt8(index))
            naa[0] = 0x60
            return DeviceServerUnit(
                lun: UInt16(index), index: UnitIndex(UInt16(index)), sectors: UInt64(MemoryStandIn.sectors),
                blockLength: index == 1 ? 4096 : 512, naa: naa, serial: "FUZZ\(index)", preferred: .a,
                profile: Self.profile(
                    index, protection: descriptorSense && index == 0 ? UInt8(clamping: controllers) : 0))
        }
        var configuration = DeviceServerConfiguration(
            controller: .a, controllers: controllers, units: units, vendor: "GEMEL", product: "VIRTUAL DISK",
            revision: "0001", targets: ["iqn.2026-11.io.gemel:fuzz"], maxCommands: slots)
        configuration.maxNexuses = nexuses
        configuration.maxTaskManagement = 8
        server = DeviceServer(configuration: configuration, frames: memory.frames, lists: memory.lists)
        if descriptorSense {
            for unit in 0..<Self.units { memory.state(unit).currentMode[3] |= 4 }
        }
        serve(true, paired: true)
    }

    /// The first unit has what a unit can have, the last is read-only.
    private static func profile(_ index: Int, protection: UInt8) -> UnitProfile {
        var profile = UnitProfile()
        profile.protectionType = protection
        profile.readOnly = index == 2
        profile.thin = index == 0
        profile.physicalExponent = index == 0 ? 3 : 0
        profile.atomicBytes = index == 0 ? UInt32(PageSize.operationPages * PageSize.bytes) : 0
        profile.thin = index == 0
        profile.removable = index == 0
        return profile
    }

    func serve(_ serving: Bool, paired: Bool, until leaseEnd: Instant = .never) {
        server.handle(
            .serving(
                ServiceCondition(serving: serving, paired: paired, joining: false, epoch: 1, leaseEnd: leaseEnd)),
            at: now)
    }

    /// Carries the server's requests to its memory, until there are none.
    func settleMemory() {
        while let request = server.blocks.popFirst() { memory.take(request, &server, at: now) }
    }

    func giveHeld(backwards: Bool = false) {
        memory.giveHeld(&server, at: now, backwards: backwards)
        settleMemory()
    }

    /// Something of the surroundings happens, that no host caused.
    func disturb(_ input: inout FuzzInput) {
        let unit = input.below(Self.units)
        switch input.below(10) {
        case 0: memory.holds.toggle()
        case 1, 2: giveHeld(backwards: input.flag())
        case 3: memory.fault = input.flag() ? BlockFault(rawValue: UInt8(input.below(8))) : nil
        case 4: if memory.pointers.contains(unit) { server.handle(.stateRecalled(UnitIndex(UInt16(unit))), at: now) }
        case 5: partnerEvent(unit, &input)
        case 6: spoilState(unit, &input)
        case 7:
            let lease = input.flag() ? Instant.never : now + .milliseconds(UInt64(input.byte()))
            serve(input.below(3) > 0, paired: input.flag(), until: lease)
        case 8:
            now = now + .milliseconds(UInt64(input.byte()) * 100)
            if now >= server.nextDeadline { server.tick(at: now) }
        default: server.moveHome(UnitIndex(UInt16(unit)), to: input.flag() ? .a : .b, at: now)
        }
    }

    /// The partner adds events to a state block whose pointer is not here.
    private func partnerEvent(_ unit: Int, _ input: inout FuzzInput) {
        guard !memory.pointers.contains(unit) else { return }
        for _ in 0...input.below(80) {
            memory.state(unit).append(
                StateBlock.Event(
                    code: input.byte(), qualifier: input.byte(), scope: input.byte(), controller: input.byte(),
                    nexus: input.big16()))
        }
    }

    /// … or writes anything to it: a page of a damaged memory, or of a later release.
    private func spoilState(_ unit: Int, _ input: inout FuzzInput) {
        guard !memory.pointers.contains(unit) else { return }
        let base = memory.state(unit).base
        let start = Int(input.big16()) % PageSize.bytes
        for (index, byte) in input.take(1 + input.below(48)).enumerated() where start + index < PageSize.bytes {
            base.put(byte: byte, start + index)
        }
    }

    /// Everything that was held or forbidden goes on, so that whatever can end does.
    func calm() {
        memory.holds = false
        memory.fault = nil
        for unit in 0..<Self.units where !memory.pointers.contains(unit) && !memory.state(unit).isValid {
            memory.state(unit).format(home: .a)
        }
        serve(true, paired: true)
    }

    /// At the end nothing is left of any command.
    func expectIdle(_ oracle: Oracle) {
        oracle.expect(server.commandsUnderWay == 0, "\(server.commandsUnderWay) commands never ended")
        oracle.expect(memory.operations.isEmpty, "operations were left: \(memory.operations.keys.sorted())")
    }
}
