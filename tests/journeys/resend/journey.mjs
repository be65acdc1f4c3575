// What an application does with Resend's client. It is told where to ask by RESEND_BASE_URL and
// RESEND_API_KEY alone, and writes what came of each call as one line of JSON.

import { Resend } from "resend";

const resend = new Resend();
const tell = (name, { data, error }) => console.log(JSON.stringify({ name, data, error }));
const message = {
  from: "Postman <notify@example.com>",
  to: "jane@example.net",
  subject: "Your order",
  text: "It is on its way.",
};

const sent = await resend.emails.send({
  ...message,
  cc: ["Carol <carol@example.net>"],
  bcc: "dan@example.net",
  replyTo: "help@example.com",
  html: "<p>It is on its way: <img src='cid:logo'></p>",
  headers: { "X-Entity-Ref-ID": "4711" },
  attachments: [
    { filename: "buffer.bin", content: Buffer.from([0, 255, 13, 10, 46]) },
    { filename: "logo.png", content: "iVBORw0KGgo=", contentId: "logo" },
    { filename: "list.txt", content: [76, 105, 115, 116], contentType: "text/plain" },
  ],
  tags: [{ name: "order", value: "4711" }],
});
tell("send", sent);

const batch = await resend.batch.send([
  { ...message, subject: "First" },
  { ...message, subject: "Second" },
]);
tell("batch", batch);
const wrong = { ...message, to: "nobody" };
tell("strict batch", await resend.batch.send([message, wrong]));
tell(
  "permissive batch",
  await resend.batch.send([{ ...message, subject: "Third" }, wrong], {
    batchValidation: "permissive",
  }),
);

const later = new Date(Date.now() + 3_600_000).toISOString();
const scheduled = await resend.emails.send({ ...message, scheduledAt: "in 1 hour" });
tell("schedule", scheduled);
tell("scheduled", await resend.emails.get(scheduled.data.id));
tell("update", await resend.emails.update({ id: scheduled.data.id, scheduledAt: later }));
tell("cancel", await resend.emails.cancel(scheduled.data.id));
tell("canceled", await resend.emails.get(scheduled.data.id));
tell("cancel again", await resend.emails.cancel(scheduled.data.id));

const once = { idempotencyKey: "order/4711" };
const first = { ...message, subject: "Once" };
tell("once", await resend.emails.send(first, once));
tell("once more", await resend.emails.send(first, once));
tell("another", await resend.emails.send(message, once));

tell("list", await resend.emails.list({ limit: 2 }));
tell("no recipient", await resend.emails.send({ ...message, to: [] }));
tell("foreign sender", await resend.emails.send({ ...message, from: "me@example.org" }));
tell("fetched file", await resend.emails.send({
  ...message,
  attachments: [{ filename: "a.txt", path: "http://127.0.0.1/a.txt" }],
}));
tell("unknown id", await resend.emails.get("01a20468-4c81-7568-b9c7-f3a45b943b40"));
tell("wrong key", await new Resend("re_123456789").emails.send(message));
