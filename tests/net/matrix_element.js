// Element's own encryption (matrix-sdk-crypto) on standard input and output, a JSON object a line.
const sdk = require("@matrix-org/matrix-sdk-crypto-wasm");
const lines = require("readline").createInterface({input: process.stdin});
let machine, bootstrap, room;

const bare = r => ({id: r.id, type: r.type, kind: r.event_type, body: JSON.parse(r.body)});

const orders = {
    async open({user, device}) {
        await sdk.initAsync();
        machine = await sdk.OlmMachine.initialize(new sdk.UserId(user), new sdk.DeviceId(device));
        return {};
    },
    async outgoing() {
        return (await machine.outgoingRequests()).map(bare);
    },
    async sent({id, type, answer}) {
        return machine.markRequestAsSent(id, type, JSON.stringify(answer));
    },
    async identity() {
        bootstrap = await machine.bootstrapCrossSigning(true);
        return {keys: bootstrap.uploadKeysRequest ? bare(bootstrap.uploadKeysRequest) : null,
            identity: JSON.parse(bootstrap.uploadSigningKeysRequest.body),
            signatures: bare(bootstrap.uploadSignaturesRequest)};
    },
    async track({users}) {
        await machine.updateTrackedUsers(users.map(u => new sdk.UserId(u)));
        return {};
    },
    async sync({events, changed, count, unused}) {
        const lists = new sdk.DeviceLists(changed.map(u => new sdk.UserId(u)), []);
        const got = await machine.receiveSyncChanges(JSON.stringify(events), lists,
            new Map([["signed_curve25519", count]]), new Set(unused),
            new sdk.DecryptionSettings(sdk.TrustRequirement.Untrusted));
        return got.map(e => e.constructor.name);
    },
    async missing({users}) {
        const r = await machine.getMissingSessions(users.map(u => new sdk.UserId(u)));
        return r ? bare(r) : null;
    },
    async share({users, strict}) {
        const settings = new sdk.EncryptionSettings();
        settings.sharingStrategy = strict ? sdk.CollectStrategy.identityBasedStrategy()
            : sdk.CollectStrategy.allDevices();
        return (await machine.shareRoomKey(new sdk.RoomId(room), users.map(u => new sdk.UserId(u)),
            settings)).map(bare);
    },
    async encrypt({kind, content}) {
        return JSON.parse(await machine.encryptRoomEvent(new sdk.RoomId(room), kind,
            JSON.stringify(content)));
    },
    async decrypt({event, strict}) {
        const got = await machine.decryptRoomEvent(JSON.stringify(event), new sdk.RoomId(room),
            new sdk.DecryptionSettings(strict ? sdk.TrustRequirement.CrossSigned
                : sdk.TrustRequirement.Untrusted));
        const shield = got.shieldState(false);
        return {event: JSON.parse(got.event), shield: shield.color};
    },
    async room({id}) {
        room = id;
        return {};
    },
};

(async () => {
    for await (const line of lines) {
        const order = JSON.parse(line);
        let out;
        try {
            out = await orders[order.do](order);
        } catch (error) {
            out = {error: String(error)};
        }
        console.log(JSON.stringify(out === undefined ? null : out));
    }
})();
