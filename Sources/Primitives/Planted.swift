/// Bugs that are planted on purpose, one for each part of the pair's rules, to prove that the simulator's checkers find
/// them. They exist only in a build with `PLANTED_BUGS` (see `make planted`); in every other build the question is
/// the constant false, and nothing of it is left in the binary.
package enum PlantedBug: String, Sendable, CaseIterable {
    /// Rule 3: a mirrored write is acknowledged before the partner holds it.
    case acknowledgeBeforeMirror = "acknowledge-before-mirror"
    /// Rule 3: an expired lease still answers.
    case ignoreLease = "ignore-lease"
    /// Rule 3: alone, a write is acknowledged before the device has it, and the record does not say so.
    case acknowledgeBeforeDevice = "acknowledge-before-device"
    /// Rules 1 and 4: a memory that the record does not name counts as one that it names.
    case ignoreMembers = "ignore-members"
    /// Rule 5: takeover does not wait for the fence's proof.
    case skipFence = "skip-fence"
    /// Rule 6: a clean or superseded page's mirror copy stays sealed.
    case keepMirrorCopy = "keep-mirror-copy"
    /// Rule 6: takeover does not adopt the mirror area.
    case skipAdoption = "skip-adoption"
    /// Rule 6: the pages of a group count one by one.
    case tearGroups = "tear-groups"
    /// Rule 7: COMPARE AND WRITE does not look again at what others wrote meanwhile.
    case looseCompare = "loose-compare"
    /// Rule 7: a pointer leaves with its dirty pages not destaged.
    case releaseDirty = "release-dirty"
    /// Rule 7: the home serves a granule although the partner holds it.
    case ignorePointers = "ignore-pointers"
    /// Rule 9: a joiner is recorded before it was caught up.
    case skipCatchUp = "skip-catch-up"
    /// Rule 9: a joiner keeps its old memory.
    case keepVoidMemory = "keep-void-memory"
    /// Rule 8: a state block's change is not mirrored.
    case forgetState = "forget-state"
}

#if PLANTED_BUGS
    /// Which bug is on; set once, before anything runs.
    package enum Planted {
        nonisolated(unsafe) package static var selected: PlantedBug?
        package static var isBuiltIn: Bool { true }
        /// Whether `bug` is the one that is on.
        package static func isOn(_ bug: PlantedBug) -> Bool { selected == bug }
    }
#else
    /// No bug is on in this build.
    package enum Planted {
        @inlinable package static var isBuiltIn: Bool { false }
        /// Always false here.
        @inlinable @inline(__always) package static func isOn(_ bug: PlantedBug) -> Bool { false }
    }
#endif
