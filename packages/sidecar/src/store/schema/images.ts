/** Root filesystems under a name. */
export const IMAGES = `
CREATE TABLE images (
  user TEXT NOT NULL,
  name TEXT NOT NULL,
  driver TEXT NOT NULL,
  source TEXT NOT NULL,
  record TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (user, name)
) STRICT;
`;
