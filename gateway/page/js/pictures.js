/** The addresses of pictures, as the page loads them. */

const PICTURE = /^(?:https?:\/\/|\/pictures\/|data:image\/(?:png|jpeg|webp|gif|svg\+xml)[;,])/i;

/** Those of an answer's addresses that can be shown; of a picture that this server (`host`) keeps only its path. */
export function pictureSources(addresses, host) {
  return addresses.map((address) => local(address, host)).filter((address) => PICTURE.test(address));
}

/** Behind a proxy that ends TLS, the address may have another scheme than the page, which then couldn't load it. */
function local(address, host) {
  for (const scheme of ["http:", "https:"]) {
    const origin = `${scheme}//${host}`;
    if (address.startsWith(`${origin}/pictures/`)) return address.slice(origin.length);
  }
  return address;
}
