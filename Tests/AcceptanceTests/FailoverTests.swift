import Foundation
import Testing

extension Acceptance {
    /// Whatever happens to a controller, what was acknowledged is there, through the other one and through itself when
    /// it is back. Rounds: `GEMEL_ROUNDS`, 2 by default, 10 in a soak.
    @Suite(.timeLimit(.minutes(10))) struct Failover {
        @Test func killedControllersLoseNothingThatWasAcknowledged() throws {
            let array = try RunningArray()
            try array.start()
            for round in 1...Product.rounds {
                for (victim, survivor) in [("a", "b"), ("b", "a")] {
                    let load = try array.startLoad(through: [victim, survivor], seconds: 4)
                    sleep(1)
                    kill(try array.pid(victim), SIGKILL)
                    let result = try array.finish(load, seconds: 60)
                    #expect(result.operations > 0)
                    #expect(result.longestGapMilliseconds < 2000, "round \(round), \(victim) killed")
                    #expect(try array.check(through: survivor).blocksChecked > 0)
                    try array.waitUntilRedundant(seconds: 30)
                    #expect(try array.check(through: victim).mismatches == 0)
                }
            }
        }

        @Test func bothKilledAtOnceLoseNothingThatWasAcknowledged() throws {
            let array = try RunningArray()
            try array.start()
            for _ in 1...Product.rounds {
                let load = try array.startLoad(through: ["a", "b"], seconds: 3)
                sleep(1)
                let pids = try ["a", "b"].map(array.pid)
                pids.forEach { kill($0, SIGKILL) }
                _ = try array.finish(load, seconds: 90)
                try array.waitUntilRedundant(seconds: 60)
                #expect(try array.check(through: "a").blocksChecked > 0)
                #expect(try array.check(through: "b").blocksChecked > 0)
            }
        }

        @Test func stoppedControllerIsTakenOverAndHarmlessWhenItGoesOn() throws {
            let array = try RunningArray()
            try array.start()
            for _ in 1...Product.rounds {
                let load = try array.startLoad(through: ["a", "b"], seconds: 10, options: ["--timeout", "1"])
                sleep(1)
                let pid = try array.pid("a")
                kill(pid, SIGSTOP)
                sleep(6)
                // The survivor has ended it by now; otherwise it goes on here, and may acknowledge nothing.
                kill(pid, SIGCONT)
                let result = try array.finish(load, seconds: 90)
                // The lease of 3 s, half a second, and the time that a busy machine takes.
                #expect(result.longestGapMilliseconds < 5000)
                #expect(try array.check(through: "b").blocksChecked > 0)
                try array.waitUntilRedundant(seconds: 60)
                #expect(try array.check(through: "a").mismatches == 0)
            }
        }

        @Test func cutChannelLeavesExactlyOneController() throws {
            let array = try RunningArray()
            try array.start()
            for _ in 1...Product.rounds {
                let load = try array.startLoad(through: ["a", "b"], seconds: 8)
                sleep(1)
                try array.command("fault", "add", "channel-cut")
                sleep(5)
                let serving = try array.status().controllers.filter { $0.status?.serving == true }
                #expect(serving.count == 1, "serving: \(serving.map(\.name))")
                try array.command("fault", "reset")
                let result = try array.finish(load, seconds: 90)
                #expect(result.longestGapMilliseconds < 6000)
                try array.waitUntilRedundant(seconds: 60)
                #expect(try array.check(through: "a").blocksChecked > 0)
                #expect(try array.check(through: "b").blocksChecked > 0)
            }
        }

        @Test func plannedMoveInterruptsNobody() throws {
            let array = try RunningArray()
            try array.start()
            let load = try array.startLoad(through: ["a", "b"], seconds: 4)
            sleep(1)
            try array.command("failover", "--to", "b")
            let result = try array.finish(load, seconds: 60)
            #expect(result.errors == 0)
            #expect(result.longestGapMilliseconds < 1000)
            #expect(try array.check(through: "a").mismatches == 0)
        }

        @Test func cleanStopAndStartKeepsEverything() throws {
            let array = try RunningArray()
            try array.start()
            _ = try array.finish(try array.startLoad(through: ["a", "b"], seconds: 2), seconds: 60)
            let outcome = try array.stop()
            #expect(outcome.status == 0, "\(outcome.output.suffix(2000))")
            try array.start()
            #expect(try array.check(through: "a").blocksChecked > 0)
            #expect(try array.check(through: "b").blocksChecked > 0)
        }
    }
}
