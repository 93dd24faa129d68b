import BlockModel
import Memory
import PagingFormats
import Primitives
import Testing

/// The user of the two memories: writes and reads of whole extents with known contents, one at a time an extent.
final class MemoryUser {
    let world: MemoryWorld
    var expected = [UInt8](repeating: 0, count: Int(MemoryWorld.unitSectors))
    var nextTag: UInt8 = 1

    init(_ world: MemoryWorld) { self.world = world }

    /// The protection information of a sector with a tag: that of its place and content alone; all ones where nothing
    /// was written.
    static func tuple(_ sector: Int, _ tag: UInt8) -> UInt64 {
        tag == 0 ? .max : UInt64(sector) << 16 | UInt64(tag) << 8 | 0x5A
    }

    private func take(_ node: MemoryWorld.Node, _ token: BlockToken) -> BlockResponse? {
        for (index, response) in node.responses.enumerated() {
            switch response {
            case .pagesReady(let each, _) where each == token, .completed(let each, _) where each == token,
                .failed(let each, _, _) where each == token:
                node.responses.remove(at: index)
                return response
            default: continue
            }
        }
        return nil
    }

    private func wait(_ node: MemoryWorld.Node, _ token: BlockToken) -> BlockResponse? {
        var answer: BlockResponse?
        _ = world.run {
            answer = take(node, token)
            return answer != nil
        }
        return answer
    }

    /// Waits for the answer to a request that was made with `token`.
    func answer(_ id: ControllerID, _ token: BlockToken) -> BlockResponse? {
        wait(world.nodes[Int(id.rawValue)], token)
    }

    /// Writes an extent through a controller; false when it did not complete well.
    func write(
        _ id: ControllerID, start: UInt64, count: UInt32, durable: Bool = false, mode: CommitMode = .replace
    ) -> Bool {
        let node = world.nodes[Int(id.rawValue)]
        let token = BlockToken(slot: 3)
        world.request(id, .prepareWrite(token, UnitIndex(0), BlockExtent(start: start, count: count), scratch: false))
        guard case .pagesReady(_, let run)? = wait(node, token) else { return false }
        let tag = nextTag
        nextTag = nextTag == 255 ? 1 : nextTag + 1
        var position = 0
        while position < Int(run.count) {
            let (base, length) = run.piece(at: position, frames: node.frames, lists: node.lists)
            base.initializeMemory(as: UInt8.self, repeating: tag, count: length)
            for offset in stride(from: position, to: position + length, by: 512) where world.isProtected {
                run.tuple(at: offset, frames: node.frames, lists: node.lists).put(
                    little64: Self.tuple(Int(start) + offset / 512, tag), 0)
            }
            position += length
        }
        world.request(id, .commitWrite(token, CommitOptions(durable: durable, mode: mode)))
        guard case .completed(_, let fault)? = wait(node, token), fault == nil else { return false }
        for sector in start..<(start + UInt64(count)) { expected[Int(sector)] = tag }
        return true
    }

    /// Reads an extent through a controller; answers the first sector that is wrong, nil when all are right, -1 when
    /// the
    /// read did not complete.
    func mismatch(_ id: ControllerID, start: UInt64, count: UInt32) -> Int? {
        let node = world.nodes[Int(id.rawValue)]
        let token = BlockToken(slot: 4)
        world.request(id, .read(token, UnitIndex(0), BlockExtent(start: start, count: count), sequential: false))
        guard case .pagesReady(_, let run)? = wait(node, token) else { return -1 }
        var wrong: Int?
        var position = 0
        while position < Int(run.count) {
            let (base, length) = run.piece(at: position, frames: node.frames, lists: node.lists)
            for offset in stride(from: 0, to: length, by: 512) {
                let sector = Int(start) + (position + offset) / 512
                let bytes = UnsafeRawBufferPointer(start: base + offset, count: 512)
                if wrong == nil && !bytes.allSatisfy({ $0 == expected[sector] }) { wrong = sector }
                guard wrong == nil, world.isProtected else { continue }
                let tuple = UnsafeRawPointer(
                    run.tuple(at: position + offset, frames: node.frames, lists: node.lists)).little64(0)
                if tuple != Self.tuple(sector, expected[sector]) { wrong = sector }
            }
            position += length
        }
        world.request(id, .release(token))
        return wrong
    }

    /// Reads the whole unit.
    func audit(_ id: ControllerID) -> Int? {
        var sector: UInt64 = 0
        while sector < MemoryWorld.unitSectors {
            if let wrong = mismatch(id, start: sector, count: 512) { return wrong }
            sector += 512
        }
        return nil
    }
}
