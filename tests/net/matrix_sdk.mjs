// A person in Element: npm's matrix-js-sdk with its Rust crypto, which excludes insecure devices.
// A JSON object a line on standard input and output; SDK names the folder of the package.
import {createRequire} from "node:module";
import {createInterface} from "node:readline";
import {pathToFileURL} from "node:url";

const load = createRequire(process.env.SDK + "/x.js");
const from = name => import(pathToFileURL(load.resolve(name)).href);
const sdk = await from("matrix-js-sdk");
const {OnlySignedDevicesIsolationMode, AllDevicesIsolationMode} = await from("matrix-js-sdk/lib/crypto-api/index.js");
const {decodeRecoveryKey} = await from("matrix-js-sdk/lib/crypto-api/recovery-key.js");
const {logger} = await from("matrix-js-sdk/lib/logger.js");
logger.setLevel("silent", false);
for (const name of ["debug", "info", "log", "warn"])
    console[name] = () => {};

// As in a browser: what nobody waits for (an old event that this device cannot read) ends nothing.
process.on("unhandledRejection", why => process.stderr.write("not waited for: " + why + "\n"));
const tell = object => process.stdout.write(JSON.stringify(object) + "\n");
const sleep = ms => new Promise(done => setTimeout(done, ms));
let client, recovery, given;

async function until(condition, what, ms = 60000) {
    for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) {
        const got = await condition();
        if (got)
            return got;
    }
    throw new Error("not in time: " + what);
}

async function shown(event) {
    await client.decryptEventIfNeeded(event);
    const trust = event.isEncrypted() && !event.isDecryptionFailure()
        ? await client.getCrypto().getEncryptionInfoForEvent(event) : null;
    return {id: event.getId(), sender: event.getSender(), type: event.getType(), wire: event.getWireType(),
        content: event.getContent(), failed: event.isDecryptionFailure() ? String(event.decryptionFailureReason) : null,
        thread: event.getWireContent()["m.relates_to"] ?? null, shield: trust ? trust.shieldColour : null};
}

const orders = {
    // `secrets`: "made" puts the identity's keys into the account's secret storage, and a recovery key takes
    // them from there, as a second device does. Otherwise the identity is made anew.
    async open({address, user, pass, device, strict, signed, secrets}) {
        const bare = sdk.createClient({baseUrl: address});
        const login = await bare.loginRequest({type: "m.login.password", password: pass, device_id: device,
            identifier: {type: "m.id.user", user}});
        client = sdk.createClient({baseUrl: address, userId: login.user_id, deviceId: login.device_id,
            accessToken: login.access_token, cryptoCallbacks: {
                getSecretStorageKey: async ({keys}) => [Object.keys(keys)[0], given],
                cacheSecretStorageKey: () => {},
            }});
        await client.initRustCrypto({useIndexedDB: false});
        const crypto = client.getCrypto();
        crypto.setDeviceIsolationMode(strict === false ? new AllDevicesIsolationMode(false)
            : new OnlySignedDevicesIsolationMode());
        await client.startClient({initialSyncLimit: 20, pollTimeout: 2000});
        await until(() => client.isInitialSyncComplete(), "first sync");
        const proof = session => ({type: "m.login.password", password: pass, session,
            identifier: {type: "m.id.user", user}});
        const how = {authUploadDeviceSigningKeys: make => make(null).catch(no => make(proof(no.data?.session)))};
        // Asked now, so that no older answer comes after what is made here.
        await crypto.userHasCrossSigningKeys(user, true);
        if (secrets && secrets !== "made") {
            given = decodeRecoveryKey(secrets);
            await crypto.bootstrapCrossSigning(how);
        } else if (signed !== false) {
            // What another test left on the account would want its own key.
            if (await client.secretStorage.getDefaultKeyId())
                await client.setAccountData("m.secret_storage.default_key", {});
            await crypto.bootstrapCrossSigning({...how, setupNewCrossSigning: true});
        }
        // The crate panics ("inconsistent verification state") over what a device said before it knew that
        // it is signed; people cannot be so quick.
        if (signed !== false)
            await until(async () => (await crypto.getDeviceVerificationStatus(user, login.device_id))
                ?.crossSigningVerified, "own device verified");
        if (secrets === "made") {
            recovery = await crypto.createRecoveryKeyFromPassphrase();
            given = recovery.privateKey;
            await crypto.bootstrapSecretStorage({createSecretStorageKey: async () => recovery,
                setupNewSecretStorage: true});
        }
        return {device: login.device_id};
    },
    async room({invite, encrypted, alone}) {
        const made = await client.createRoom({preset: "trusted_private_chat", is_direct: true, invite: [invite],
            initial_state: encrypted === false ? [] : [{type: "m.room.encryption", state_key: "",
                content: {algorithm: "m.megolm.v1.aes-sha2"}}]});
        if (!alone)
            await until(() => client.getRoom(made.room_id)?.getMember(invite)?.membership === "join", "joined");
        return made;
    },
    async say({room, text, thread}) {
        return client.sendMessage(room, {msgtype: "m.text", body: text, ...thread && {"m.relates_to": {
            rel_type: "m.thread", event_id: thread, is_falling_back: true,
            "m.in_reply_to": {event_id: thread}}}});
    },
    async heard({room, of}) {
        const all = client.getRoom(room)?.getLiveTimeline().getEvents() ?? [];
        return Promise.all(all.filter(e => e.getSender() === of && !e.isState()).map(shown));
    },
    async until_heard({room, of, count, ms}) {
        await until(async () => (await orders.heard({room, of})).filter(e => !e.failed).length >= count,
            count + " readable", ms).catch(() => {});
        return orders.heard({room, of});
    },
    async recovery() {
        return recovery.encodedPrivateKey;
    },
    async look({user}) {
        await client.getCrypto().getUserDeviceInfo([user], true);
        return {};
    },
    // One of somebody's one-time keys from each device, as if a session were to be begun.
    async claim({user}) {
        const got = await client.downloadKeysForUsers([user]);
        const devices = Object.keys(got.device_keys[user] ?? {});
        await client.claimOneTimeKeys(devices.map(d => [user, d]), "signed_curve25519");
        return {devices};
    },
    // An encrypted file, as the server has it and as it is.
    async fetch({file}) {
        const url = client.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
        const raw = await (await fetch(url, {headers: {Authorization: "Bearer " + client.getAccessToken()}}))
            .arrayBuffer();
        const key = await crypto.subtle.importKey("jwk", file.key, {name: "AES-CTR"}, false, ["decrypt"]);
        const text = await crypto.subtle.decrypt({name: "AES-CTR", counter: Buffer.from(file.iv, "base64"),
            length: 64}, key, raw);
        return {raw: Buffer.from(raw).toString("latin1"), text: Buffer.from(text).toString()};
    },
    async leave({room}) {
        return client.leave(room);
    },
    async anew({room}) {
        await client.getCrypto().forceDiscardSession(room);
        return {};
    },
    async logout() {
        await client.logout(true);
        return {};
    },
};

for await (const line of createInterface({input: process.stdin})) {
    const order = JSON.parse(line);
    try {
        tell(await orders[order.do](order) ?? null);
    } catch (why) {
        tell({error: String(why?.stack ?? why)});
    }
}
process.exit(0);
