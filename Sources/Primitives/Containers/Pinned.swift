import Synchronization

/// A member without content that keeps its owner in one place: with it, a method that only reads gets the owner's
/// address. Without it the compiler may hand such a method a copy of the whole owner, and the copy of an engine costs
/// more than the method. Every engine has one.
///
/// The cell of an atomic is what the language never copies to lend it; nothing is ever stored in this one.
@usableFromInline
package struct Pinned: ~Copyable, Sendable {
    private let cell = Atomic<UInt8>(0)
    package init() {}
}
