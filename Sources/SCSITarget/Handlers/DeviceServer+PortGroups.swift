import BlockModel
import Primitives
import SAM
import SCSIFormats

// Asymmetric logical unit access (SPC-5 §5.17): the states of the two target port groups, REPORT and SET TARGET PORT
// GROUPS. The optimized group is that of the unit's home; there is always exactly one, so a change of the optimized
// group moves home. The other group may be set to active/non-optimized, standby or unavailable.

extension DeviceServer {
    /// State of this controller's target port group for a unit: what REPORT TARGET PORT GROUPS would say here.
    package func accessState(of unit: UnitIndex) -> AsymmetricAccessState {
        guard let ordinal = unitOrdinals[UInt64(unit.raw)] else { return .unavailable }
        return condition.serving ? accessState(Int(ordinal), through: controller) : .transitioning
    }

    /// State of a controller's group. Alone, this controller is the optimized one wherever home is, and the absent one
    /// is unavailable.
    func accessState(_ unit: Int, through: ControllerID) -> AsymmetricAccessState {
        guard condition.paired, controllers > 1 else { return through == controller ? .activeOptimized : .unavailable }
        let unit = units.pointer(unit)
        if unit.pointee.home == through { return .activeOptimized }
        let set = through == .a ? unit.pointee.accessStates.a : unit.pointee.accessStates.b
        return set.flatMap { AsymmetricAccessState(rawValue: $0) } ?? unit.pointee.profile.accessStyle.otherState
    }

    /// Why this controller's group does not let a command pass, nil when it does (SPC-5 §5.17.2.5, §5.17.2.6).
    func accessRefusal(_ unit: Int, _ traits: CommandTraits) -> SenseData? {
        if units.pointer(unit).pointee.home == controller { return nil }
        switch accessState(unit, through: controller) {
        case .standby where !traits.contains(.inStandby): return SenseData(.notReady, .targetPortInStandbyState)
        case .unavailable where !traits.contains(.inUnavailable):
            return SenseData(.notReady, .targetPortInUnavailableState)
        case .activeOptimized, .activeNonOptimized, .standby, .unavailable, .logicalBlockDependent, .offline,
            .transitioning:
            return nil
        }
    }

    /// REPORT TARGET PORT GROUPS (SPC-4 §6.37), in both header formats.
    func reportTargetPortGroups(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let format = tasks[slot].cdb[1] >> 5
        guard format <= 1 else { return .invalidField(inCDB: 1, bit: 7) }
        let unit = Int(tasks[slot].unit)
        let groups = ControllerID.allCases.map {
            TargetPortGroup(
                identifier: $0.targetPortGroup, relativePort: $0.relativeTargetPort,
                state: accessState(unit, through: $0), preferred: $0 == units[unit].preferred,
                explicit: condition.paired && units[unit].isAccessExplicit)
        }
        TargetPortGroup.write(
            groups, extended: format == 1,
            transitionSeconds: UInt8(clamping: patience.nanoseconds / 1_000_000_000), to: &writer)
        return nil
    }

    /// Takes over what a state block says of access states.
    mutating func noteAccess(_ unit: Int, _ block: StateBlock) {
        units[unit].accessStates = (block.accessState(.a), block.accessState(.b))
        units[unit].isAccessExplicit = block.isAccessExplicit
    }

    // MARK: SET TARGET PORT GROUPS (SPC-5 §6.45)

    /// What SET TARGET PORT GROUPS changes. Home moves by the commit when it is here, and by the partner, which finds
    /// the wish in the state block, when it is there.
    mutating func applyPortGroups(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let base = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        guard let list = TargetPortGroupList(base, count: Int(tasks[slot].limit)),
            tasks[slot].limit == tasks[slot].total
        else { return .failed(SenseData(.illegalRequest, .parameterListLengthError)) }
        var wishes: [TargetPortGroupList.Wish?] = [nil, nil]
        for index in 0..<list.count {
            let wish = list[index]
            guard let named = ControllerID.allCases.first(where: { $0.targetPortGroup == wish.group }) else {
                return .failed(.invalidField(inList: wish.offset + 2))
            }
            if wish.state > AsymmetricAccessState.unavailable.rawValue {
                return .failed(.invalidField(inList: wish.offset, bit: 3))
            }
            wishes[Int(named.rawValue)] = wish
        }
        if wishes[0] == nil, wishes[1] == nil { return .done }
        let isSymmetric = units[unit].profile.accessStyle == .symmetric
        if isSymmetric || !condition.paired { return unchanged(wishes, unit) }
        guard let home = Self.home(wishes, present: block.home) else {
            let later = max(wishes[0]?.offset ?? 0, wishes[1]?.offset ?? 0)
            return .failed(.invalidField(inList: later, bit: 3))
        }
        return set(wishes, home, slot, block, unit)
    }

    /// Where nothing can be changed a wish is granted that is fulfilled already.
    private func unchanged(_ wishes: [TargetPortGroupList.Wish?], _ unit: Int) -> ChangeVerdict {
        for controller in ControllerID.allCases {
            guard let wish = wishes[Int(controller.rawValue)] else { continue }
            if wish.state == accessState(unit, through: controller).rawValue { continue }
            return .failed(SenseData(.hardwareError, .setTargetPortGroupsCommandFailed))
        }
        return .done
    }

    /// The group that is optimized afterwards; nil when the wishes do not leave exactly one.
    private static func home(_ wishes: [TargetPortGroupList.Wish?], present: ControllerID) -> ControllerID? {
        let optimized = ControllerID.allCases.filter { wishes[Int($0.rawValue)]?.state == 0 }
        if optimized.count > 1 { return nil }
        if let first = optimized.first { return first }
        if wishes[Int(present.rawValue)] == nil { return present }
        return wishes[Int(present.partner.rawValue)] == nil ? present.partner : nil
    }

    private mutating func set(
        _ wishes: [TargetPortGroupList.Wish?], _ home: ControllerID, _ slot: Int, _ block: StateBlock, _ unit: Int
    ) -> ChangeVerdict {
        let other = home.partner
        let wish = wishes[Int(other.rawValue)]?.state
        block.set(accessState: nil, home)
        if let state = wish ?? (home != block.home ? AsymmetricAccessState.activeNonOptimized.rawValue : nil) {
            block.set(accessState: state, other)
        }
        block.isAccessExplicit = true
        announce(.asymmetricAccessStateChanged, scope: 0, block, unit, except: Int(tasks[slot].nexus))
        block.wantedHome = nil
        if home == block.home { return .done }
        if block.home == controller {
            block.home = home
            return .done
        }
        block.wantedHome = home
        return .moving(home)
    }

    /// The state pointer is here again after home was asked to move.
    mutating func homeMoved(_ slot: Int) {
        if UInt32(units[Int(tasks[slot].unit)].home.rawValue) == tasks[slot].checksum {
            complete(slot, .good, total: tasks[slot].total)
        } else {
            fail(slot, SenseData(.hardwareError, .setTargetPortGroupsCommandFailed), total: tasks[slot].limit)
        }
    }
}

extension AccessStyle {
    /// What the group that is not the home's is in while nobody set it.
    var otherState: AsymmetricAccessState {
        switch self {
        case .asymmetric: .activeNonOptimized
        case .symmetric: .activeOptimized
        case .standby: .standby
        case .unavailable: .unavailable
        }
    }
}
