import Primitives

/// Parameter list of SET TARGET PORT GROUPS (SPC-5 §6.45): a view of the bytes where they are.
package struct TargetPortGroupList {
    /// What is asked for one group; `offset` is the descriptor's place in the list, for a field pointer.
    package struct Wish: Sendable {
        package var state: UInt8
        package var group: UInt16
        package var offset: Int
    }
    private let base: UnsafeRawPointer
    /// Descriptors in the list.
    package let count: Int

    /// - Parameter count: bytes at `base`; nil when they end within a descriptor.
    package init?(_ base: UnsafeRawPointer, count: Int) {
        guard count >= 4, count % 4 == 0 else { return nil }
        self.base = base
        self.count = count / 4 - 1
    }

    /// The descriptor with a number below `count`.
    package subscript(index: Int) -> Wish {
        precondition(index >= 0 && index < count)
        let at = 4 + index * 4
        return Wish(state: base.byte(at) & 0x0F, group: base.big16(at + 2), offset: at)
    }
}
