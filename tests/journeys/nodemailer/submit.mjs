// What an application does with Nodemailer. Its settings and one message come as JSON on standard
// input; what became of it is one line of JSON: the octets, and the error if there was one.

import { text } from "node:stream/consumers";
import nodemailer from "nodemailer";

const { transport, letter } = JSON.parse(await text(process.stdin));
const message = {
  from: letter.sender,
  to: letter.to,
  cc: letter.cc,
  bcc: letter.bcc,
  subject: letter.subject,
  text: letter.text,
  date: new Date(letter.date),
  messageId: letter.message_id,
  baseBoundary: "boundary", // two messages of one content are the same then
  attachments: Object.entries(letter.files).map(([filename, content]) => ({
    filename,
    content,
    encoding: "base64",
    contentType: "application/octet-stream",
  })),
};
const composer = nodemailer.createTransport({
  streamTransport: true,
  buffer: true,
  newline: "windows",
});
const composed = await composer.sendMail(message);
let fault = "";
try {
  await nodemailer.createTransport(transport).sendMail(message);
} catch (error) {
  fault = `${error.code} ${error.responseCode} ${error.message}`;
}
console.log(JSON.stringify({ content: composed.message.toString("base64"), fault }));
