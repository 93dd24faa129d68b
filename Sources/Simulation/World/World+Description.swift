import BlockModel
import Controller
import PagingFormats
import Primitives

extension Parameters {
    /// What a seed stands for.
    static func drawn(_ options: SimulationOptions, from random: inout SeededRandom) -> Parameters {
        func pick<T>(_ choices: [T]) -> T { choices[Int(random.below(UInt64(choices.count)))] }
        let lease: UInt64 = pick([400, 400, 1000, 1000, 3000]) * 1_000_000
        let weights: FaultWeights
        if let given = options.faults {
            weights = given
        } else {
            weights = .drawn(from: &random, allowed: .all)
        }
        let safety = lease * (12 + 3 * UInt64(options.faultCount))
        let sectors = pick([64, 256, 512])
        let frames = options.frames ?? pick([520, 520, 768])
        var parameters = Parameters(
            frames: frames, lease: lease, unitSectors: sectors * pick([1, 1, 8]), units: pick([1, 1, 2]),
            initiators: pick([1, 2]),
            queueDepth: pick([1, 4, 8, 16]), networkLatency: pick([20_000, 50_000, 500_000]),
            deviceLatency: pick([50_000, 200_000, 5_000_000]), reaction: pick([2_000, 10_000, 100_000]),
            chunking: pick([0, 8, 64]), pipeCapacity: pick([4 << 10, 64 << 10, 256 << 10]),
            hotSectors: pick([8, 16, 64]), largestCommand: pick([8, 16, 64]), writePercentage: pick([50, 50, 80]),
            forceUnitAccess: pick([0, 0, 10, 50]), commandTimeout: lease * pick([2, 5, 10]), safety: safety,
            weights: weights, faultInterval: safety / UInt64(Swift.max(1, options.faultCount)))
        // From a generator of its own, so that the other seeds stay what they were.
        var topology = SeededRandom(seed: options.seed ^ 0x7077_0000)
        parameters.twoHosts = topology.chance(1, in: 4)
        parameters.streams = topology.chance(1, in: 4)
        parameters.atomics = options.atomics ?? topology.chance(1, in: 3)
        parameters.thin = options.thin ?? topology.chance(1, in: 3)
        parameters.reserves = options.reserves ?? topology.chance(1, in: 4)
        // While a unit is erased it refuses what the script of reservations goes by.
        parameters.erases = (options.erases ?? topology.chance(1, in: 8)) && !parameters.reserves
        let isProtected = topology.chance(1, in: 4)
        let type = [1, 1, 2, 3][Int(topology.below(4))] as UInt8
        parameters.protection = options.protection ?? (isProtected ? type : 0)
        if parameters.atomics, topology.chance(1, in: 2), options.crowds {
            // A unit that no memory holds as a whole.
            parameters.crowds = true
            parameters.unitSectors = Swift.max(parameters.unitSectors, 4096)
        }
        return parameters
    }
}

extension World {
    static var targetName: String { "iqn.2026-11.io.gemel:simulated" }

    /// The array of a run, made as the configuration would.
    static func describe(_ parameters: Parameters) -> ArrayDescription {
        let header = parameters.protection == 0 ? RegionLayout.plainHeaderBytes : RegionLayout.trailedHeaderBytes
        let memory = RegionLayout.headerOffset + PageSize.bytes + parameters.frames * (PageSize.bytes + header)
        func controller(_ id: ControllerID, _ port: Int) -> ControllerDescription {
            ControllerDescription(
                id: id, portals: ["127.0.0.1:\(port)"], channel: "127.0.0.1:\(port + 10)", memoryBytes: memory,
                memoryFile: "\(id.name).memory", memoryDurability: .process)
        }
        var policy = Policy.standard
        for index in policy.rows.indices {
            policy.rows[index].destageAge = Interval(nanoseconds: parameters.lease / 3)
        }
        let units = (0..<parameters.units).map { index -> UnitDescription in
            var map = UnitMap(
                sectors: UInt64(parameters.unitSectors), device: DeviceIndex(UInt16(index)),
                dataOffset: DeviceLayout.labelArea, stateOffset: DeviceLayout.stateOffset(0),
                preferred: index == 0 ? .a : .b, policy: policy)
            map.thin = parameters.thin
            var naa = InlineArray<16, UInt8>(repeating: 0)
            naa[0] = 0x60
            naa[15] = UInt8(truncatingIfNeeded: index + 1)
            var unit = UnitDescription(
                lun: UInt16(index), map: map, blockLength: 512, naa: naa, serial: "SIM\(index)")
            unit.profile.thin = parameters.thin
            unit.profile.protectionType = parameters.protection
            unit.profile.atomicBytes = UInt32(PageSize.operationPages * PageSize.bytes)
            return unit
        }
        let devices = (0..<parameters.units).map {
            DeviceDescription(
                name: "disk\($0)", kind: .memory,
                dataBytes: UnitMap.deviceBytes(
                    UInt64(parameters.unitSectors * 512), isProtected: parameters.protection > 0))
        }
        var description = ArrayDescription(
            name: "simulated", pairID: 0x51D0_51D0_51D0_51D0, controllers: [controller(.a, 3260), controller(.b, 3261)],
            devices: devices, units: units, targets: [TargetDescription(name: targetName)])
        description.pair.lease = Interval(nanoseconds: parameters.lease)
        description.pair.channelPatience = Interval(nanoseconds: parameters.lease / 3)
        description.pair.heartbeat = Interval(nanoseconds: parameters.lease / 12)
        description.pair.failbackDelay = Interval(nanoseconds: parameters.lease * 3)
        description.pair.witnessFile = "witness"
        description.pair.secretFile = "secret"
        return description
    }
}
