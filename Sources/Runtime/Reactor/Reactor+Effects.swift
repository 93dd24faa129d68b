import BlockModel
import CLinux
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives

// What each effect does.
extension Reactor where Engine: ~Copyable {
    /// Performs one effect, or begins to; its answer comes through the feed.
    mutating func perform(_ effect: ControllerEffect, at now: Instant) {
        switch effect {
        case .transmit(let stream): wantTransmit(stream)
        case .resumeReceive(let stream): resume(stream)
        case .close(let stream): beginClose(stream, at: now)
        case .connectChannel: dialChannel(at: now)
        case .storage(let request): plant.devices.enqueue(request)
        case .openWindow: openWindow(at: now)
        case .closeWindow: closeWindow()
        case .setWindowWord(let word): setWindowWord(word)
        case .place(let placement): place(placement)
        case .clear(let slot): touch(slot, settles: false)
        case .settle(let slot): touch(slot, settles: true)
        case .witnessRead: askWitness(.read)
        case .witnessSwap(let expected, let record): askWitness(.swap(expected: expected, record))
        case .fencePartner: fence(at: now)
        case .adoptPartnerMemory: adoptPartnerMemory()
        case .releasePartnerMemory: foreign = nil
        case .authenticate(let token, let message, let count):
            let digest = Platform.authenticate(key: plant.settings.secret, message: message, count: count)
            feed.append(.authenticated(token: token, digest: digest))
        case .random(let token): draw(token, at: now)
        case .loginChallenge(let token): feed.append(.loginChallenge(token: token, Platform.random()))
        case .loginDigest(let token, let request):
            feed.append(.loginDigest(token: token, plant.settings.credentials.digest(request)))
        case .restart(let reason): conclude(.restart(reason), at: now)
        case .stopped: conclude(.stopped, at: now)
        case .refuse(let reason):
            conclude(.refused(reason, plant.settings.found.sentence(reason, plant.settings, record)), at: now)
        case .log(let entry): log(plant.settings.found.words.sentence(entry))
        }
    }

    private mutating func draw(_ token: UInt32, at now: Instant) {
        if let bytes = Platform.random() {
            feed.append(.random(token: token, bytes))
        } else {
            log("the system's random source fails; without it no handshake is safe")
            conclude(.halted, at: now)
        }
    }

    /// Device completions into the feed.
    mutating func collectDevices() {
        plant.devices.collect(into: &completions)
        while let completion = completions.popFirst() { feed.append(.storageCompleted(completion)) }
    }

    /// Gives a call to the witness's thread. It answers in order; a queue that is full answers that it is not there.
    private mutating func askWitness(_ job: WitnessJob) {
        witnessAttempts = 0
        if !plant.witness.submit(job) { answerWitness(job, WitnessFile.Outcome(answer: .unreachable)) }
    }

    /// The witness's answers into the feed. Who holds the lock for longer than its patience is ended (pair-rules 1),
    /// and the call is made anew.
    mutating func collectWitness() {
        var count: UInt64 = 0
        _ = read(plant.witnessWake, &count, 8)
        while let end = plant.witness.nextAnswer() {
            if end.outcome.lockTimedOut && witnessAttempts < Limits.witnessAttempts {
                witnessAttempts += 1
                let ended = plant.settings.partnerWindow != nil && plant.partner.end()
                log(
                    "the witness file is locked for more than a second; the partner "
                        + (ended ? "is ended" : "cannot be ended: its process is not known"))
                if plant.witness.submit(end.job) { continue }
            }
            answerWitness(end.job, end.outcome)
        }
    }

    private mutating func answerWitness(_ job: WitnessJob, _ outcome: WitnessFile.Outcome) {
        if case .record(let read) = outcome.answer { record = read }
        switch job {
        case .read: feed.append(.witnessRead(outcome.answer))
        case .swap: feed.append(.witnessSwapped(outcome.answer, won: outcome.won))
        }
    }
}
